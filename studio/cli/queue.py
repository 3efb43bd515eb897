"""`snugtune queue`: runs that wait for their turn."""

import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from studio.cli import terminal, training
from studio.domain.errors import ExitCode, StudioError
from studio.domain.recipe import Recipe
from studio.domain.run_queue import Queue, QueuedRun, sweep, time_of
from studio.services import project_store
from studio.services.hub_data import with_data_here
from studio.services.preflight import refuse_errors
from studio.services.run_queue import RunQueue
from studio.storage.recipes import load_recipe
from studio.storage.run_directory import RunDirectory

_LOOK_EVERY_S: Final = 1.0

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Number = Annotated[
    int, typer.Argument(metavar="NUMBER", help="Of the run, as list tells it.")
]

app = typer.Typer(
    help="Let runs wait for their turn, and start them one after the other.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def add(
    recipe_file: Annotated[
        Path, typer.Argument(metavar="RECIPE.toml", help="The recipe to train by.")
    ],
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Set an option."),
    ] = None,
    sweeps: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="KEY=A,B",
            help="One run for each value; up to three options, in all combinations.",
        ),
    ] = None,
    project: Annotated[
        str, typer.Option("--project", help="Which project keeps the runs.")
    ] = "Terminal",
    *,
    json: Json = False,
) -> None:
    """Add a run, or a sweep of them, at the end."""
    recipe = load_recipe(recipe_file)
    for assignment in assignments or ():
        recipe = recipe.with_typed(assignment)
    recipe = with_data_here(recipe)
    parts = [recipe_file.stem, *(assignments or ())]
    runs = [
        (" ".join(filter(None, [*parts, apart])), each)
        for apart, each in sweep(recipe, sweeps or ())
    ]
    added = RunQueue().add(project, runs)
    if json:
        terminal.say_json([_document(run) for run in added])
    else:
        for run in added:
            terminal.say(f"{run.number}  {run.title}")


@app.command("list")
def list_runs(*, json: Json = False) -> None:
    """List the runs that wait, the next one first."""
    _say(RunQueue().read(), json=json)


@app.command()
def move(
    number: Number,
    place: Annotated[
        int, typer.Argument(metavar="PLACE", min=1, help="1 is the next to start.")
    ],
) -> None:
    """Put a run at another place; one that could not start is tried again."""
    _say(RunQueue().change(lambda queue: queue.moved(number, place)), json=False)


@app.command()
def remove(number: Number) -> None:
    """Let a run go that hasn't started."""
    _say(RunQueue().change(lambda queue: queue.removed(number)), json=False)


@app.command("start-at")
def start_at(
    number: Number,
    typed: Annotated[
        str,
        typer.Argument(metavar="TIME", help="21:30, 2026-11-27 06:00, or now."),
    ],
) -> None:
    """Let a run wait until a time; those behind it may start before."""
    moment = time_of(typed, _now())
    _say(RunQueue().change(lambda queue: queue.timed(number, moment)), json=False)


@app.command("run")
def run_all() -> None:
    """Start the runs one after the other, until none waits.

    A run that fails or is paused doesn't hold up the next. Ctrl+C stops the run after
    its step and leaves the rest in the queue.
    """
    queue = RunQueue()
    failed = False
    with queue.driven():
        while (begun := _next(queue)) is not None:
            code = _train(queue, *begun)
            if code is ExitCode.STOPPED:
                raise typer.Exit(code)
            failed = failed or code not in {ExitCode.OK, ExitCode.PAUSED}
    troubled = [run for run in queue.read().runs if run.trouble]
    for run in troubled:
        terminal.say_aside(f"{run.title} was not started: {_trouble(run)}")
    raise typer.Exit(ExitCode.FAILED if failed or troubled else ExitCode.OK)


def _next(queue: RunQueue) -> tuple[QueuedRun, RunDirectory] | None:
    """Begin the next run when it is due and nothing else trains; None at the end."""
    said = ""
    while True:
        waits_for = _obstacle_words(queue)
        if not waits_for:
            begun = queue.take(_now(), _new_run)
            if begun is not None or queue.read().next_time() is None:
                return begun
            continue
        if waits_for != said:
            terminal.say_aside(waits_for)
            said = waits_for
        time.sleep(_LOOK_EVERY_S)


def _obstacle_words(queue: RunQueue) -> str:
    """What a run has to wait for, as a sentence; empty for nothing."""
    match queue.obstacle(_now()):
        case RunDirectory(name=name):
            return f"Waits for {name} to end."
        case datetime() as moment:
            return f"Waits until {_time_words(moment)}."
        case _:
            return ""


def _new_run(queued: QueuedRun, recipe: Recipe) -> RunDirectory:
    terminal.say_aside(f"Starts {queued.title}")
    for finding in refuse_errors(recipe):
        terminal.say_finding(finding)
    project = project_store.open_or_create(queued.project)
    return project.new_run(recipe, queued.token)


def _train(queue: RunQueue, queued: QueuedRun, directory: RunDirectory) -> ExitCode:
    def leave() -> None:
        with suppress(StudioError):  # no reason to end the run; tried again below
            queue.remove([queued.number])

    try:
        report = training.run_training(directory, on_begun=leave)
    except StudioError as failed:
        terminal.say_finding(failed.finding)
        return failed.exit_code
    finally:
        queue.remove([queued.number])  # also when its engine never said a word
    training.say_report(report)
    return training.verdict_code(report)


def _say(queue: Queue, *, json: bool) -> None:
    if json:
        terminal.say_json([_document(run) for run in queue.runs])
    elif queue.runs:
        header = ("Number", "Run", "Project", "Starts")
        terminal.say_table(header, [_row(run) for run in queue.runs])
    else:
        terminal.say("No runs wait. snugtune queue add RECIPE.toml adds one.")


def _row(run: QueuedRun) -> tuple[str, ...]:
    starts = "in its turn" if run.start_at is None else _time_words(run.start_at)
    return str(run.number), run.title, run.project, _trouble(run) or starts


def _trouble(run: QueuedRun) -> str:
    return "" if run.trouble is None else run.trouble.sentence()


def _document(run: QueuedRun) -> dict[str, object]:
    return {
        "number": run.number,
        "title": run.title,
        "project": run.project,
        "start_at": run.start_at.isoformat() if run.start_at else None,
        "trouble": _trouble(run) or None,
    }


def _time_words(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def _now() -> datetime:
    return datetime.now().astimezone()
