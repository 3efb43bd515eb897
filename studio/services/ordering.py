"""Orders to a run from elsewhere than the program that started it."""

import time

from studio.domain.errors import ExitCode, StudioError, refusal
from studio.domain.finding import error
from studio.domain.run import EngineIdentity, RunSnapshot
from studio.protocol.commands import Cancel, EngineCommand
from studio.services.run_journal import snapshot_of
from studio.storage.run_directory import RunDirectory
from studio.system.processes import end_family

_HELLO_PATIENCE_S = 30.0
_LOOK_EVERY_S = 0.2


def order(run: RunDirectory, command: EngineCommand) -> RunSnapshot:
    """Leave an order where a run's engine finds it within half a second.

    Returns:
        The run as it stood then.

    Raises:
        StudioError: The run is over, its engine says nothing, or the disk refuses.
    """
    told = _listening(run)
    run.post_box.post(command)
    return told


def cancel(run: RunDirectory) -> RunSnapshot:
    """End a run's process and all that it started, at once; checkpoints stay.

    Returns:
        The run as it is afterwards.

    Raises:
        StudioError: The run is over, its engine says nothing, or a process lives on.
    """
    engine = _listening(run).engine
    assert engine is not None  # else it wouldn't listen
    run.post_box.post(Cancel(pid=engine.pid, started_at=engine.started_at))
    left = end_family(engine)
    if left:
        raise _unending(run, engine, left)
    return snapshot_of(run)


def _listening(run: RunDirectory) -> RunSnapshot:
    """A run whose engine has said its first word.

    An order that is given before may lie in the box when the engine begins to look
    there, and would then be taken for one of a former time.
    """
    until = time.monotonic() + _HELLO_PATIENCE_S
    while True:
        told = snapshot_of(run)
        if told.state.is_over:
            raise refusal(
                "run.not-running",
                f"{run.name} is not running: it is {told.state.value}.",
                fix="snugtune runs lists the runs and how they stand.",
                where=run.name,
            )
        if told.engine is not None:
            return told
        if time.monotonic() > until:
            raise refusal(
                "run.silent",
                f"The training process of {run.name} has not said anything yet.",
                fix="Try again in a moment.",
                where=run.name,
            )
        time.sleep(_LOOK_EVERY_S)


def _unending(
    run: RunDirectory, engine: EngineIdentity, left: list[int]
) -> StudioError:
    pids = ", ".join(str(pid) for pid in left)
    finding = error(
        "run.unending",
        f"{run.name} does not end even when it is killed (process {pids}).",
        why="A process that waits for broken hardware can’t be ended by anybody.",
        fix="Restart the machine; what was saved stays.",
        where=f"process {engine.pid}",
    )
    return StudioError(finding, ExitCode.FAILED)
