"""`snugtune export`: what came of a run as files to hand on, proven."""

import json as documents
from pathlib import Path
from typing import Annotated, Any

import typer

from studio.cli import terminal
from studio.cli.engine_run import run_engine
from studio.cli.training import RunReport
from studio.domain.errors import ExitCode, refusal
from studio.protocol.codec import heard
from studio.protocol.export_events import ADAPTER, MERGED, Artefact, Exported
from studio.services.certificates import figures_of
from studio.services.exporters import ALL, kinds_of
from studio.services.library import find_run
from studio.storage.run_directory import RunDirectory

_TITLES = {ADAPTER: "Adapter", MERGED: "Merged model"}
_FORMATS = ("bf16", "fp16", "fp32")
_VERDICTS = {
    True: "It says what was trained.",
    False: "It doesn’t say what was trained:",
    None: "It was read back, but not heard:",
}


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Run = Annotated[
    str, typer.Argument(metavar="RUN", help="A run’s name or its directory.")
]
Out = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="The folder that will hold it.")
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--to",
        metavar="KIND",
        help="adapter, merged, an exporter such as gguf or, with a form, gguf:f16, "
        "or all; may be repeated. All unless said.",
    ),
]
Form = Annotated[
    str, typer.Option("--form", help="Of exporters named without one, such as f16.")
]
Dtype = Annotated[
    str, typer.Option("--dtype", help="Merged weights as bf16, fp16 or fp32.")
]
AsTrained = Annotated[
    bool,
    typer.Option(
        "--as-trained",
        help="Merge into the base as 4 bits held it in training, not into its own "
        "weights.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what an earlier export made.")
]
EvenIfDifferent = Annotated[
    bool,
    typer.Option(
        "--even-if-different",
        help="Give its name to a model that differs from what was trained.",
    ),
]


def export(  # noqa: PLR0913 - a command line has the options it has
    run: Run,
    out: Out,
    to: Kinds = None,
    form: Form = "",
    dtype: Dtype = "bf16",
    *,
    as_trained: AsTrained = False,
    overwrite: Overwrite = False,
    even_if_different: EvenIfDifferent = False,
    json: Json = False,
) -> None:
    """Make an adapter, a merged model and more of a run, each proven.

    A merged model is compared with what was trained before it gets its name. One that
    differs is kept aside as merged-differs, with exit code 17.
    """
    _check_dtype(dtype)
    directory = find_run(run)
    options = ["--out", str(out.expanduser().absolute()), "--dtype", dtype]
    options += [word for kind in kinds_of(to or [ALL]) for word in ("--to", kind)]
    options += ["--form", form] if form else []
    options += ["--as-trained"] if as_trained else []
    options += ["--overwrite"] if overwrite else []
    options += ["--even-if-different"] if even_if_different else []
    exported = _export(directory, options)
    if json:
        terminal.say_json(document(exported))
    else:
        _say(exported)
    if any(each.is_proven is False for each in exported.artefacts):
        raise typer.Exit(ExitCode.DIFFERENT)


def _check_dtype(dtype: str) -> None:
    if dtype not in _FORMATS:
        raise refusal(
            "merge.dtype",
            f"“{dtype}” is no format of merged weights.",
            fix="Give bf16, fp16 or fp32.",
            where="--dtype",
        )


def document(exported: Exported) -> dict[str, object]:
    """What was made, for programs."""
    return {
        "path": exported.path,
        "artefacts": [
            {
                "kind": each.kind,
                "form": each.form,
                "path": each.path,
                "bytes": each.size_bytes,
                "proven": each.is_proven,
                "report": each.report,
                "figures": _figures(each),
                "findings": [
                    {"code": found.code, "what": found.what, "why": found.why}
                    for found in each.findings
                ],
            }
            for each in exported.artefacts
        ],
    }


def _export(directory: RunDirectory, options: list[str]) -> Exported:
    with terminal.ProgressDisplay() as display:
        report = RunReport(directory, display)
        arguments = (str(directory.path), *options)
        exported = run_engine("export", *arguments, listener=report.hear)
    assert isinstance(exported, Exported)
    return exported


def _say(exported: Exported) -> None:
    for each in exported.artefacts:
        title = _TITLES.get(each.kind, f"{each.kind} {each.form}".strip())
        terminal.say(f"{title:<21}{each.path}")
        if each.is_proven is not None or each.findings:
            _say_verdict(each)


def _say_verdict(artefact: Artefact) -> None:
    terminal.say(f"  {_VERDICTS[artefact.is_proven]}")
    for finding in artefact.findings:
        terminal.say(f"    {heard(finding).sentence()}")
    for what, figure in _figures(artefact).items():
        terminal.say(f"  {what:<19}{figure}")
    if artefact.report:
        terminal.say(f"  {'Certificate':<19}{artefact.report}")


def _figures(artefact: Artefact) -> dict[str, str]:
    if artefact.kind != MERGED:
        return dict(artefact.figures)
    report = Path(artefact.report).with_suffix(".json")
    told: dict[str, Any] = documents.loads(report.read_text(encoding="utf-8"))
    return figures_of(told)
