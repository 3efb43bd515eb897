"""The trainer process: ``python -m studio.engine VERB ...``.

Reads its arguments and hands over; what is heavy is loaded by the verb that needs it.
Events go to stdout, one JSON line each; whatever libraries print goes to stderr.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from studio.domain.waypoints import FAULTS

# As long as an answer to a sample prompt.
_ANSWER_TOKENS = 96
_EVALUATED_TOKENS = 128


def main(arguments: Sequence[str]) -> int:
    """Run one verb.

    Args:
        arguments: Of the command line, without the program's name.

    Returns:
        An exit code of `studio.domain.errors.ExitCode`.
    """
    parsed = _parser().parse_args(arguments)
    # Read by OpenMP when torch loads it. Threads that wait by spinning lose their core
    # to any other program, and a step then takes ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    if os.environ.get(FAULTS):
        from studio.engine.faults import arm_from_environment

        arm_from_environment()

    from studio.engine.session import Session

    session = Session.of_this_process()
    try:
        from studio.engine.verbs import run_verb

        if parsed.verb in {"inspect-data", "fix-data"}:
            from studio.engine.data_inspection import step_back

            step_back()
        return int(run_verb(session, parsed))
    finally:
        session.wire.close()
        session.lifeline.release()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m studio.engine")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    train = verbs.add_parser("train", help="train the run of a directory")
    train.add_argument("run", type=Path, metavar="RUN_DIR")
    train.add_argument("--resume", action="store_true", help="go on with it")
    train.add_argument("--accept-changes", action="store_true")
    train.add_argument(
        "--save-memory", action="store_true", help="go on in less than before"
    )

    merge = verbs.add_parser("merge", help="work a run's adapter into its base")
    merge.add_argument("run", type=Path, metavar="RUN_DIR")
    merge.add_argument("--out", type=Path, required=True, metavar="DIR")
    merge.add_argument("--dtype", choices=["bf16", "fp16", "fp32"], default="bf16")
    merge.add_argument("--overwrite", action="store_true")
    merge.add_argument("--as-trained", action="store_true")

    verify = verbs.add_parser("verify", help="compare an export with its run")
    verify.add_argument("artefact", type=Path, metavar="MODEL_DIR")
    verify.add_argument("--run", type=Path, required=True, metavar="RUN_DIR")

    _add_export(verbs.add_parser("export", help="make what a run is handed on as"))
    _add_push(verbs.add_parser("push", help="push what was exported to a hub"))
    _add_combining(verbs.add_parser("combine", help="make one adapter of several"))
    _add_evaluation(verbs.add_parser("evaluate", help="measure a run beside its base"))
    _add_answering(verbs)
    _add_drafting(verbs.add_parser("make-data", help="draft examples from documents"))

    prepare = verbs.add_parser("prepare-model", help="make a known model loadable")
    prepare.add_argument("name", metavar="NAME")

    estimate = verbs.add_parser("estimate-memory", help="predict a recipe's memory")
    estimate.add_argument("recipe", type=Path, metavar="RECIPE.toml")
    estimate.add_argument("model", type=Path, metavar="MODEL_DIR_OR_CONFIG")
    estimate.add_argument(
        "--also",
        type=Path,
        action="append",
        default=[],
        metavar="RECIPE.toml",
        help="another recipe for the same model; may be repeated",
    )
    estimate.add_argument("--card-bytes", type=int, help="of a card; else this machine")
    estimate.add_argument("--capability", help="of that card, such as 8.6")

    measure = verbs.add_parser("measure-memory", help="measure a recipe's memory")
    measure.add_argument("recipe", type=Path, metavar="RECIPE.toml")
    measure.add_argument("model", type=Path, metavar="MODEL_DIR")
    measure.add_argument(
        "--random-weights",
        action="store_true",
        help="make them of MODEL_DIR's config.json",
    )

    _add_data_verbs(verbs)
    verbs.add_parser("doctor", help="check the engine's environment")
    return parser


def _add_export(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("run", type=Path, metavar="RUN_DIR")
    verb.add_argument("--to", action="append", required=True, metavar="KIND")
    verb.add_argument("--out", type=Path, required=True, metavar="DIR")
    verb.add_argument("--dtype", choices=["bf16", "fp16", "fp32"], default="bf16")
    verb.add_argument("--as-trained", action="store_true")
    verb.add_argument("--form", default="", help="of exporters named without one")
    verb.add_argument("--overwrite", action="store_true")
    verb.add_argument("--even-if-different", action="store_true")


def _add_push(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("artefact", type=Path, metavar="ARTEFACT_DIR")
    verb.add_argument("--to", required=True, metavar="OWNER/NAME")
    verb.add_argument("--public", action="store_true", help="everybody may see it")
    verb.add_argument("--revision", default="", metavar="BRANCH")
    verb.add_argument("--message", default="", help="of the commit")
    verb.add_argument("--accept-unproven", action="store_true")


def _add_combining(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("adapters", type=Path, nargs="+", metavar="RUN_OR_ADAPTER_DIR")
    verb.add_argument("--how", default="cat", metavar="WAY")
    verb.add_argument("--weights", required=True, metavar="W1,W2")
    verb.add_argument("--density", type=float, default=0.5)
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--rank", type=int, default=0, help="0 for the adapters’ highest")
    verb.add_argument("--base", default="", help="where no run names it")
    verb.add_argument("--out", type=Path, required=True, metavar="DIR")
    verb.add_argument("--overwrite", action="store_true")


def _add_evaluation(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("run", type=Path, metavar="RUN_DIR")
    verb.add_argument(
        "--data", type=Path, metavar="FILE", help="else its held-out rows"
    )
    verb.add_argument("--columns", action="append", default=[], metavar="PART=COLUMN")
    verb.add_argument("--rows", type=int, default=0, help="at most so many inputs")
    verb.add_argument(
        "--also", action="append", default=[], metavar="CHECKPOINT_OR_DIR"
    )
    verb.add_argument("--max-new-tokens", type=int, default=_EVALUATED_TOKENS)
    verb.add_argument("--lowercase", action="store_true", help="BLEU without capitals")
    verb.add_argument("--out", type=Path, metavar="DIR")


def _add_answering(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    generate = verbs.add_parser("generate", help="answer prompts")
    generate.add_argument("source", type=Path, metavar="RUN_OR_MODEL_DIR")
    generate.add_argument("--prompt", action="append", required=True, metavar="TEXT")
    generate.add_argument("--max-new-tokens", type=int, default=_ANSWER_TOKENS)
    generate.add_argument("--base", action="store_true", help="leave the adapter off")

    chat = verbs.add_parser("chat", help="answer questions, as stdin asks")
    chat.add_argument("source", metavar="RUN_DIR_OR_MODEL")


def _add_drafting(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("out", type=Path, metavar="DRAFTS.jsonl")
    verb.add_argument(
        "--document", type=Path, action="append", required=True, metavar="DOC"
    )
    maker = verb.add_mutually_exclusive_group(required=True)
    maker.add_argument("--model", metavar="NAME")
    maker.add_argument("--address", metavar="URL", help="asked instead of a model")
    verb.add_argument("--api-model", default="", metavar="NAME")
    verb.add_argument("--allow-http", action="store_true")
    verb.add_argument("--questions", type=int, default=1)


def _add_data_verbs(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    fetch = verbs.add_parser("fetch-data", help="fetch a data set from the hub")
    fetch.add_argument("name", metavar="OWNER/NAME[:CONFIG][#SPLIT][@REVISION]")
    fetch.add_argument("--again", action="store_true", help="ask even if it is here")

    inspect = verbs.add_parser("inspect-data", help="check a data set, row by row")
    _add_data(inspect)

    fix = verbs.add_parser("fix-data", help="write a new file with findings mended")
    _add_data(fix)
    fix.add_argument("--codes", required=True, metavar="A,B")
    fix.add_argument("--out", type=Path, required=True, metavar="NEW.jsonl")
    fix.add_argument("--against", type=Path, metavar="HELD_OUT")
    fix.add_argument("--overwrite", action="store_true")

    show = verbs.add_parser("show-rows", help="tell rows' tokens, as stdin asks")
    _add_data(show)


def _add_data(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("data", type=Path, metavar="DATA_OR_RECIPE.toml")
    verb.add_argument("--model", default="", help="whose tokenizer counts")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
