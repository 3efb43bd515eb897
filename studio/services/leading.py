"""Who leads a run restarts it when memory ran out; window and command line alike.

A window that joined a run leads it too, if nobody else does (`studio.services.lead`).
The engine ends cleanly, gives all memory back and says `RunPaused`. A new engine is
started by `again`: it takes the next step of `studio.domain.relief`, tells it by
`RunAdapted`, and goes on from the last good checkpoint.
"""

from collections.abc import Sequence

from studio.domain.errors import StudioError
from studio.domain.pauses import OUT_OF_MEMORY
from studio.domain.relief import MOST_TIMES, relieved
from studio.domain.run import RunSnapshot, RunState
from studio.protocol.events import EngineEvent, Hello, RunPaused, Stopping, Warned
from studio.services.resuming import CHANGED
from studio.storage.in_force import recipe_in_force
from studio.storage.run_directory import RunDirectory
from studio.system.machine import read_machine_once

RESUME = ("--resume",)
ACCEPT_CHANGES = "--accept-changes"
SAVE_MEMORY = "--save-memory"
AGAIN = (*RESUME, SAVE_MEMORY)


def again(options: Sequence[str]) -> Sequence[str]:
    """How an engine is told to go on in less memory than one that had these options."""
    return (*AGAIN, *(each for each in options if each == ACCEPT_CHANGES))


def goes_on_by_itself(
    directory: RunDirectory, last_word: EngineEvent | None, times: int
) -> bool:
    """Whether a run whose engine ended is to be gone on with at once.

    Args:
        directory: Of the run.
        last_word: Of its engine.
        times: How often it has helped itself already.
    """
    if not isinstance(last_word, RunPaused) or last_word.kind != OUT_OF_MEMORY:
        return False
    if times >= MOST_TIMES or _was_told_to_end(directory):
        return False
    return _has_relief(directory)


def options_to_lead_on(run: RunSnapshot) -> Sequence[str] | None:
    """How to go on at once with a joined run whose engine has ended.

    Args:
        run: As its journal tells it.

    Returns:
        The next engine's options; None where the run has come to its end.
    """
    directory, helped = RunDirectory(run.directory), len(run.adaptations)
    if not ran_out(run) or helped >= MOST_TIMES or _was_told_to_end(directory):
        return None
    return again(_accepted(directory)) if _has_relief(directory) else None


def resume_arguments(
    run: RunSnapshot, *, accepts_changes: bool = False, saves_memory: bool = False
) -> Sequence[str]:
    """How the engine is told to go on with a run.

    A run that memory ran out for is gone on with in less of it, where that can be.

    Args:
        run: As its journal tells it.
        accepts_changes: Also where something that it depends on has changed.
        saves_memory: In less memory, be it told or not that it ran out.
    """
    has_relief = ran_out(run) and _has_relief(RunDirectory(run.directory))
    options = AGAIN if saves_memory or has_relief else RESUME
    return (*options, ACCEPT_CHANGES) if accepts_changes else options


def ran_out(run: RunSnapshot) -> bool:
    """Whether a run is paused because its memory didn't suffice."""
    failure = run.failure
    return run.state is RunState.PAUSED and (
        failure is not None and failure.code == OUT_OF_MEMORY
    )


def _accepted(directory: RunDirectory) -> Sequence[str]:
    """What the last engine was told beside going on, as far as it shows."""
    warned = (e for e in _of_last_engine(directory) if isinstance(e, Warned))
    accepts = any(event.finding.code == CHANGED for event in warned)
    return (ACCEPT_CHANGES,) if accepts else ()


def _was_told_to_end(directory: RunDirectory) -> bool:
    """Whether somebody ordered the last engine's end before memory ran out."""
    return any(isinstance(event, Stopping) for event in _of_last_engine(directory))


def _of_last_engine(directory: RunDirectory) -> Sequence[EngineEvent]:
    """What the last engine wrote; nothing where that can't be read."""
    try:
        told = list(directory.events())
    except StudioError:
        return ()
    begins = [at for at, event in enumerate(told) if isinstance(event, Hello)]
    return told[begins[-1] :] if begins else ()


def _has_relief(directory: RunDirectory) -> bool:
    try:
        in_force, device = recipe_in_force(directory), read_machine_once().device()
    except StudioError:
        return False
    return relieved(in_force, on_card=device.kind == "cuda") is not None
