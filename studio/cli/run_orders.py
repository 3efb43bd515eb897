"""`snugtune pause`, `stop`, `cancel`: orders to a run that another program started."""

import time
from typing import Annotated

import typer

from studio.cli import terminal
from studio.cli.going_on import ways_on
from studio.cli.reports import run_document
from studio.domain.errors import ExitCode
from studio.domain.run import RunSnapshot, RunState
from studio.protocol.commands import EngineCommand, Pause, Stop
from studio.services import ordering
from studio.services.library import find_trained
from studio.services.run_journal import saved_words, snapshot_of
from studio.storage.run_directory import RunDirectory

_LOOK_EVERY_S = 0.5

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run’s name or its directory.")
]
Wait = Annotated[bool, typer.Option(help="Wait until the run has ended.")]


def pause(run: RunName, *, wait: Wait = True, json: Json = False) -> None:
    """Let a run save and end after its step, so that the card is free."""
    _order(find_trained(run), Pause(), waits=wait, json=json)


def stop(
    run: RunName,
    *,
    save: Annotated[
        bool, typer.Option(help="Keep what was learnt as an adapter.")
    ] = True,
    wait: Wait = True,
    json: Json = False,
) -> None:
    """End a run after its step; its adapter is kept."""
    _order(find_trained(run), Stop(save=save), waits=wait, json=json)


def cancel(run: RunName, *, json: Json = False) -> None:
    """End a run at once, with all its processes; checkpoints are kept."""
    _say(ordering.cancel(find_trained(run)), json=json)


def _order(
    run: RunDirectory, command: EngineCommand, *, waits: bool, json: bool
) -> None:
    told = ordering.order(run, command)
    if waits:
        terminal.say_aside(
            f"{run.name} ends after this step. "
            "Ctrl+C waits no longer; the order stands."
        )
        told = _at_its_end(run)
    _say(told, json=json)
    wanted = RunState.PAUSED if isinstance(command, Pause) else RunState.STOPPED
    # A run may have finished, or broken off, before the order reached it.
    if waits and told.state not in {wanted, RunState.FINISHED}:
        raise typer.Exit(ExitCode.FAILED)


def _at_its_end(run: RunDirectory) -> RunSnapshot:
    while not (told := snapshot_of(run)).state.is_over:
        time.sleep(_LOOK_EVERY_S)
    return told


def _say(told: RunSnapshot, *, json: bool) -> None:
    if json:
        terminal.say_json(run_document(told))
        return
    if not told.state.is_over:
        terminal.say(f"{told.name} was told to end after this step.")
        return
    if told.failure is not None:
        terminal.say_finding(told.failure)
    else:
        terminal.say(f"{_ENDS[told.state]} {told.step:,}. {saved_words(told)}")
    if told.checkpoints and told.state is not RunState.FINISHED:
        for way in ways_on(told):
            terminal.say(way)


_ENDS = {
    RunState.PAUSED: "Paused behind step",
    RunState.STOPPED: "Stopped after step",
    RunState.FINISHED: "Finished already, at step",
}
