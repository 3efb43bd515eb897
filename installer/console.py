"""What the set-up says: one line a phase with its time, problems as sentences.

Plain text only: the same output suits a terminal, a log and a pipe.
"""

from __future__ import annotations

import io
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRESS_WIDTH = 78
_SECONDS_PER_MINUTE = 60


class SetUpError(Exception):
    """A problem that ends the set-up, told as what, where and how to fix it.

    Attributes:
        remedy: What the user can do about it.
        details: The last lines of the command that failed, if one did.
    """

    def __init__(self, what: str, remedy: str, details: str = "") -> None:
        super().__init__(what)
        self.remedy = remedy
        self.details = details

    def text(self) -> str:
        """Return the whole message, the failed command's last lines first."""
        parts = [self.details, str(self), self.remedy]
        return "\n".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """Return a duration in words, such as "0.4 s" or "3 min 12 s"."""
    if seconds < _SECONDS_PER_MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _SECONDS_PER_MINUTE)
    return f"{minutes} min {rest:02d} s"


class Phase:
    """One line of output that is open while its work goes on.

    Attributes:
        result: Words put behind the time when the phase ends well.
    """

    def __init__(self, title: str, out: TextIO) -> None:
        self.result = ""
        self._title = title
        self._out = out
        self._begun = time.monotonic()
        self._shown = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the phase began."""
        return time.monotonic() - self._begun

    def progress(self, words: str) -> None:
        """Show what is going on, once a second and only on a terminal."""
        now = time.monotonic()
        if not self._out.isatty() or now - self._shown < 1:
            return
        self._shown = now
        line = f"{self._title} ... {self.seconds:.0f} s  {words}"
        self._write("\r" + line[:_PROGRESS_WIDTH].ljust(_PROGRESS_WIDTH))

    def end(self, verdict: str) -> None:
        """Close the line with a verdict and the time the phase took."""
        line = f"{self._title} ... {verdict}, {duration(self.seconds)}"
        if self.result:
            line += f": {self.result}"
        if self._out.isatty():
            self._write("\r" + line.ljust(_PROGRESS_WIDTH) + "\n")
        else:
            self._write(line.removeprefix(f"{self._title} ...") + "\n")

    def open(self) -> None:
        """Print the phase's title, before its work begins."""
        self._write(f"{self._title} ...")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class Console:
    """Where the set-up writes: phases, notes and the final sentence."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = sys.stdout if out is None else out
        if isinstance(self._out, io.TextIOWrapper):
            # A folder's name or a check's output may not fit the terminal's encoding.
            self._out.reconfigure(errors="replace")

    def say(self, text: str = "") -> None:
        """Print one line."""
        self._out.write(text + "\n")
        self._out.flush()

    @contextmanager
    def phase(self, title: str) -> Iterator[Phase]:
        """Print a phase's title at once and its time when the block ends."""
        phase = Phase(title, self._out)
        phase.open()
        try:
            yield phase
        except BaseException:
            phase.result = ""
            phase.end("stopped")
            raise
        phase.end("done")
