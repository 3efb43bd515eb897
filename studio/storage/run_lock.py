"""Two engines never train one run: the one that does holds a lock in its folder.

The system lets go of the lock when its holder ends, however that was, so a crash
leaves nothing to clear away. The file stays and means nothing by itself.
"""

from contextlib import AbstractContextManager

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


def is_held(run: RunDirectory) -> bool:
    """Whether a process trains this run just now, be it one that has said nothing."""
    if not run.lock_path.exists():
        return False
    lock = FileLock(run.lock_path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:
        return False  # who can't take it can't train either, and is told so then
    lock.release()
    return False


def taken(run: RunDirectory) -> StudioError:
    """The refusal of a second one."""
    return refusal(
        "run.taken",
        f"{run.name} is being trained by another window or terminal.",
        why="Two at once would overwrite each other’s checkpoints.",
        fix="Wait for its end, or pause or stop it first.",
        where=str(run.path),
    )
