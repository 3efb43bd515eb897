"""`snugtune resume`: go on with a run, at once or when its memory has been free."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Annotated

import typer

from studio.cli import terminal, training
from studio.domain.errors import ExitCode, refusal
from studio.domain.free_wait import FreeWait
from studio.domain.hardware import MachineReading, gib
from studio.domain.time_words import duration
from studio.services.library import find_trained
from studio.services.run_journal import snapshot_of
from studio.services.run_wait import USUAL_MINUTES, RunWait
from studio.storage.run_directory import RunDirectory
from studio.system.machine import MachineReader

_LOOK_EVERY_S = 1.0
_STAGE = "Free without a break"
_MINUTE_S = 60.0


def resume(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="A run’s name or its directory.")
    ],
    *,
    accept_changes: Annotated[
        bool,
        typer.Option(
            "--accept-changes",
            help="Go on although data, model, recipe or libraries have changed.",
        ),
    ] = False,
    save_memory: Annotated[
        bool,
        typer.Option(
            "--save-memory",
            help="Go on in less memory: half the rows at a time, twice as often, then "
            "what else saves some. A run that was told that its memory doesn’t suffice "
            "does so by itself; one that the system killed for it doesn’t.",
        ),
    ] = False,
    when_free: Annotated[
        bool,
        typer.Option(
            "--when-free",
            help="Wait until the memory that the run needs has been free for a while.",
        ),
    ] = False,
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            metavar="M",
            min=0,
            max=10_000,
            help=f"How long it must have been free; {USUAL_MINUTES:g} without it.",
        ),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON.")
    ] = False,
) -> None:
    """Go on with a run that ended early, as if it had never stopped."""
    if minutes is not None and not when_free:
        raise refusal(
            "resume.minutes",
            "--minutes says how long memory must be free, and nothing waits for it.",
            fix="Add --when-free, or leave --minutes out.",
            where="--minutes",
        )
    directory = find_trained(run)
    with ExitStack() as turn:
        if when_free:
            hold = USUAL_MINUTES if minutes is None else minutes
            turn.enter_context(_wait(directory, hold * _MINUTE_S))
        report = training.resume_training(
            directory, accepts_changes=accept_changes, saves_memory=save_memory
        )
    training.tell(report, json=json)


def _wait(directory: RunDirectory, hold_s: float) -> ExitStack:
    """Wait for a run's memory; Ctrl+C leaves it as it is.

    Returns:
        The turn to go on, to be closed at the run's end.
    """
    try:
        with MachineReader() as reader:
            return wait_until_free(directory, hold_s, reader.read)
    except KeyboardInterrupt:
        terminal.say_aside(
            f"{directory.name} waits no longer; it was not gone on with."
        )
        raise typer.Exit(ExitCode.PAUSED) from None


def wait_until_free(
    directory: RunDirectory,
    hold_s: float,
    read: Callable[[], MachineReading],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> ExitStack:
    """Look at the device once a second until the run may go on, saying why it waits.

    Args:
        directory: Of the run.
        hold_s: For how many seconds its memory must be free without a break.
        read: Reads the machine.
        clock: Seconds that never go back.
        sleep: Waits so many seconds.

    Returns:
        The turn to go on, to be closed at the run's end.

    Raises:
        StudioError: The run can't be gone on with, or was, elsewhere.
    """
    waiting = RunWait(snapshot_of(directory), read().device(), hold_s)
    terminal.say_aside(
        f"{directory.name} goes on when {gib(waiting.state.need_bytes)} have been free "
        f"for {duration(hold_s)}. Ctrl+C ends the wait and leaves the run as it is."
    )
    said = ""
    with terminal.ProgressDisplay() as display:
        while (turn := waiting.look(read().device(), clock())) is None:
            state = waiting.state
            if state.state_words != said:
                said = state.state_words
                display.line(said)
            display.show(_STAGE, _held_s(state), max(hold_s, 1.0), _note(state))
            sleep(_LOOK_EVERY_S)
    return turn


def _held_s(state: FreeWait) -> float:
    left = state.seconds_left
    return 0.0 if left is None else state.hold_s - left


def _note(state: FreeWait) -> str:
    if state.seconds_left is not None:
        return f"{duration(state.seconds_left)} left"
    if state.device is None:
        return ""
    return f"free now: {gib(state.device.free_bytes)}"
