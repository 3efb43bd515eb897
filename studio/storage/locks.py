"""Locks between programs: held by a file, let go by the system when its holder ends."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from studio.domain.errors import StudioError
from studio.storage.disk import disk_refusal


@contextlib.contextmanager
def locked(path: Path, patience_s: float, busy: StudioError) -> Iterator[None]:
    """Be the only program that holds a lock.

    Args:
        path: The lock's file; its folder is made when missing. It means nothing by
            itself and stays.
        patience_s: How long to wait for another holder.
        busy: Raised when that one doesn't let go.

    Raises:
        StudioError: `busy`, or the disk refuses.
    """
    lock = FileLock(path, timeout=patience_s)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise busy from None
    except OSError as fault:
        raise disk_refusal(fault, path) from fault
    try:
        yield
    finally:
        lock.release()
