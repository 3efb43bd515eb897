"""The two locks of a run: who trains it, and who starts what trains it.

Two engines never train one run: the one that does holds a lock in its folder. Whoever
leads the run holds another one from its first engine to its last, so that one program
alone starts the next engine when one has ended.

The system lets go of a lock when its holder ends, however that was, so a crash leaves
nothing to clear away. The files stay and mean nothing by themselves.
"""

from contextlib import AbstractContextManager
from pathlib import Path

from filelock import FileLock, Timeout

from studio.domain.errors import StudioError, refusal
from studio.storage.locks import locked
from studio.storage.run_directory import RunDirectory

# Somebody who only asks whether it is held takes it for a moment, and a process that
# was just ended is let go of a little later.
_PATIENCE_S = 3.0


def held(run: RunDirectory) -> AbstractContextManager[None]:
    """Be the only one that trains a run.

    Raises:
        StudioError: Another process does, or the folder may not be written.
    """
    return locked(run.lock_path, _PATIENCE_S, taken(run))


def led(
    run: RunDirectory, patience_s: float | None = None
) -> AbstractContextManager[None]:
    """Be the only one that starts a run's engines.

    Args:
        run: Which one.
        patience_s: How long to wait for another one that does; as for `held` when
            None.

    Raises:
        StudioError: Another program does, or the folder may not be written.
    """
    patience_s = _PATIENCE_S if patience_s is None else patience_s
    return locked(run.lead_path, patience_s, taken(run))


def is_held(run: RunDirectory) -> bool:
    """Whether a process trains this run just now, be it one that has said nothing."""
    return _is_taken(run.lock_path)


def is_led(run: RunDirectory) -> bool:
    """Whether a program starts this run's engines, also between two of them."""
    return _is_taken(run.lead_path)


def is_in_hand(run: RunDirectory) -> bool:
    """Whether a process trains this run, or a program may start one at once."""
    return is_held(run) or is_led(run)


def taken(run: RunDirectory) -> StudioError:
    """The refusal of a second one."""
    return refusal(
        "run.taken",
        f"{run.name} is being trained by another window or terminal.",
        why="Two at once would overwrite each other’s checkpoints.",
        fix="Wait for its end, or pause or stop it first.",
        where=str(run.path),
    )


def _is_taken(path: Path) -> bool:
    if not path.exists():
        return False
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:
        return False  # who can't take it can't train either, and is told so then
    lock.release()
    return False
