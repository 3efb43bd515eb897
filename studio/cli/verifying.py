"""`snugtune verify`: whether an exported model says what was trained."""

import json as documents
from pathlib import Path
from typing import Annotated, Any

import typer

from studio.cli import terminal
from studio.cli.engine_run import run_engine
from studio.cli.training import RunReport
from studio.domain.errors import ExitCode, StudioError, refusal
from studio.protocol.export_events import ParityMeasured
from studio.services.certificates import figures_of
from studio.services.library import find_run
from studio.storage.artefacts import read_origin
from studio.storage.run_directory import RunDirectory


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
    directory = find_run(run) if run else _made_from(folder)
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


def _made_from(folder: Path) -> RunDirectory:
    """The run that a folder names, which may lie in no project.

    Raises:
        StudioError: It names none, or one that has to be told by its folder.
    """
    name = read_origin(folder).run
    try:
        return find_run(name)
    except StudioError as refused:
        raise refusal(
            refused.finding.code,
            f"It was made from {name}, which no project has.",
            fix="Name its folder, of a run or of combined adapters: --run DIR.",
            where=str(folder),
        ) from refused


def _say(told: dict[str, Any], page: str) -> None:
    if told["proven"]:
        terminal.say("It says what was trained.")
    else:
        terminal.say("It doesn’t say what was trained:")
        for finding in told["findings"]:
            terminal.say(f"  {finding['what']} {finding['why']}".rstrip())
    terminal.say()
    for what, figure in figures_of(told).items():
        terminal.say(f"{what:<21}{figure}")
    terminal.say(f"{'Report':<21}{page}")
