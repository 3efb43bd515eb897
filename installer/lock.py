"""One set-up at a time in a folder, also after one of them was killed."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from console import Console, SetUpError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE_S = 300.0
_PAUSE_S = 0.2

if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def hold(
    lock_file: Path, console: Console, patience_s: float = _PATIENCE_S
) -> Iterator[int]:
    """Hold a folder's lock, waiting for whoever has it now.

    The system releases it when the last process that inherited the file ends, so
    that a kill never leaves it behind.

    Yields:
        The file's descriptor, for commands to inherit.

    Raises:
        SetUpError: Another set-up still works here after `patience_s` seconds.
    """
    with lock_file.open("a", encoding="utf-8") as file:
        if not _tried(file):
            with console.phase("Wait for another set-up in this folder"):
                _wait(file, patience_s)
        yield file.fileno()


def _tried(file: IO[str]) -> bool:
    try:
        _lock(file)
    except OSError:
        return False
    return True


def _wait(file: IO[str], patience_s: float) -> None:
    give_up = time.monotonic() + patience_s
    while not _tried(file):
        if time.monotonic() > give_up:
            raise SetUpError(
                f"Another set-up is still at work in {Path(file.name).parent}.",
                "Wait until it has ended, or end it, and start this one again.",
            )
        time.sleep(_PAUSE_S)
