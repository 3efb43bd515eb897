"""A line at the end of a file that several programs write: whole, or not at all."""

import errno
import os
from pathlib import Path


def append_line(path: Path, line: bytes) -> None:
    """Append a line by one write; it is on disk when this returns.

    A line that somebody's broken write left without its end stands alone before it.

    Args:
        path: The file; made when missing.
        line: With its newline.

    Raises:
        OSError: The disk is full or may not be written; nothing of the line is left.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    file = os.open(path, flags, 0o644)
    try:
        before = os.fstat(file).st_size
        if before and _last_byte(file, before) != b"\n":
            line = b"\n" + line
        if os.write(file, line) < len(line):
            os.ftruncate(file, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(file)
    finally:
        os.close(file)


def _last_byte(file: int, size: int) -> bytes:
    os.lseek(file, size - 1, os.SEEK_SET)
    return os.read(file, 1)
