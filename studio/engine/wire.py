"""What the engine says: to the journal first, then to whoever listens.

The journal is the truth and is written by the engine alone. The wire is a copy that a
window reads; a window that hangs, closes or crashes must never hold up training, so
a thread of its own does the sending, and a broken wire is simply not written any more.
"""

import errno
import os
import queue
import threading
from pathlib import Path
from typing import Self

from studio.domain.errors import StudioError
from studio.domain.waypoints import passing
from studio.protocol.codec import encode
from studio.protocol.events import EngineEvent
from studio.storage.disk import disk_refusal

# How long the last words may take to reach a slow reader at the engine's end.
_FLUSH_S = 5.0
_LOOK_BACK_BYTES = 65536


class Wire:
    """Takes events from any thread, in one order for journal and listener."""

    def __init__(self, listener: int | None) -> None:
        """Begin to send.

        Args:
            listener: A file descriptor to write lines to; None when nobody listens.
        """
        self._lock = threading.Lock()
        self._listener = listener
        self._journal: int | None = None
        self._lost = False
        self._journal_path = Path()
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._sender = threading.Thread(target=self._pump, name="wire", daemon=True)
        self._sender.start()

    @classmethod
    def take_over_stdout(cls) -> Self:
        """Keep stdout for events; what libraries print there goes to stderr."""
        listener = os.dup(1)
        os.dup2(2, 1)
        return cls(listener)

    def keep_journal(self, path: Path) -> None:
        """Append every event from now on to a file.

        Raises:
            StudioError: The file can't be opened for writing.
        """
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        try:
            self._journal = os.open(path, flags, 0o644)
            _cut_half_a_line(self._journal)
        except OSError as fault:
            raise disk_refusal(fault, path) from fault
        self._journal_path = path

    @property
    def lost_its_journal(self) -> bool:
        """Whether a journal was kept, and can't be written any more."""
        return self._lost

    def send(self, event: EngineEvent) -> None:
        """Say something.

        Raises:
            StudioError: The journal can't be written any more. The event still goes
                to the listener, and so do later ones, without this error.
        """
        line = encode(event)
        with self._lock:
            refused = self._append(line)
            self._lines.put(line)
        if refused is not None:
            raise refused

    def close(self) -> None:
        """Send what is still queued; wait only so long for a slow listener."""
        self._lines.put(None)
        self._sender.join(_FLUSH_S)
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None

    def _append(self, line: bytes) -> StudioError | None:
        if self._journal is None:
            return None
        try:
            _append_whole(self._journal, line)
        except OSError as fault:
            os.close(self._journal)
            self._journal, self._lost = None, True
            return disk_refusal(fault, self._journal_path)
        return None

    def _pump(self) -> None:
        while (line := self._lines.get()) is not None:
            if self._listener is not None and not _wrote(self._listener, line):
                os.close(self._listener)
                self._listener = None


def _cut_half_a_line(journal: int) -> None:
    """Take away what a machine that went down left of a line; it is no event."""
    size = end = os.fstat(journal).st_size
    while end:
        begin = max(0, end - _LOOK_BACK_BYTES)
        os.lseek(journal, begin, os.SEEK_SET)
        newline = os.read(journal, end - begin).rfind(b"\n")
        if newline >= 0:
            end = begin + newline + 1
            break
        end = begin
    if end < size:
        os.ftruncate(journal, end)


def _append_whole(journal: int, line: bytes) -> None:
    before = os.fstat(journal).st_size
    passing("journal", subject=(journal, line))
    if os.write(journal, line) < len(line):
        os.ftruncate(journal, before)  # half a line is no event
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _wrote(listener: int, line: bytes) -> bool:
    try:
        while line:
            line = line[os.write(listener, line) :]
    except OSError:
        return False
    return True
