"""`snugtune verify`: whether an exported model says what was trained."""

import json as documents
from pathlib import Path
from typing import Annotated, Any

import typer

from studio.cli import terminal
from studio.cli.engine_run import run_engine
from studio.cli.training import RunReport
from studio.domain.errors import ExitCode
from studio.protocol.events import ParityMeasured
from studio.services.library import find_run
from studio.storage.artefacts import read_origin


def verify(
    artefact: Annotated[
        Path,
        typer.Argument(
            metavar="MODEL", help="A merged model’s folder, or a .gguf file."
        ),
    ],
    run: Annotated[
        str,
        typer.Option("--run", metavar="RUN", help="The run, if the folder names none."),
    ] = "",
    *,
    json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON.")
    ] = False,
) -> None:
    """Compare an exported model with the run that it was made from.

    Both read the same prompts and held-out rows. Exit code 17 if the export says
    something else than what was trained.
    """
    place = artefact.expanduser().absolute()
    folder = place.parent if place.is_file() else place
    directory = find_run(run or read_origin(folder).run)
    with terminal.ProgressDisplay() as display:
        measured = run_engine(
            "verify",
            *(str(place), "--run", str(directory.path)),
            listener=RunReport(directory, display).hear,
        )
    assert isinstance(measured, ParityMeasured)
    report = Path(measured.report).with_suffix(".json")
    told = documents.loads(report.read_text(encoding="utf-8"))
    if json:
        terminal.say_json(told)
    else:
        _say(told, measured.report)
    if not measured.is_proven:
        raise typer.Exit(ExitCode.DIFFERENT)


def _say(told: dict[str, Any], page: str) -> None:
    if told["proven"]:
        terminal.say("It says what was trained.")
    else:
        terminal.say("It doesn’t say what was trained:")
        for finding in told["findings"]:
            terminal.say(f"  {finding['what']} {finding['why']}".rstrip())
    terminal.say()
    for what, figure in _figures(told).items():
        terminal.say(f"{what:<21}{figure}")
    terminal.say(f"{'Report':<21}{page}")


def _figures(told: dict[str, Any]) -> dict[str, str]:
    found = told["distance"]
    figures = {
        "Same next token": f"{found['agreement']:.2%} of {found['tokens']:,}",
        "Divergence": _nats(found["mean_kl"]),
        "Learnt in training": _nats(told["learnt"]["mean_kl"]),
    }
    if told["as_trained"]:
        figures["Quantised base"] = _nats(told["as_trained"]["mean_kl"])
    before, after = found["trained_perplexity"], found["exported_perplexity"]
    if before is not None and after is not None:
        figures["Perplexity"] = f"{before:.3f} trained, {after:.3f} exported"
    same = sum(pair["trained"] == pair["exported"] for pair in told["answers"])
    figures["Same answers"] = f"{same} of {len(told['answers'])}"
    figures["Run by"] = told["reader"]
    return figures


def _nats(figure: float | None) -> str:
    return "no number" if figure is None else f"{figure:.2g} nats a token"
