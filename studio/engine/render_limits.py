"""Chat templates come with strangers' models: how much time and memory one may take.

transformers runs them in a sandbox that keeps them from Python, but not from looping
for hours or from building a text of gigabytes.
"""

import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

from studio.domain.errors import StudioError, refusal

SECONDS: Final = 5.0
"""Processor time that one rendering may take; an honest one takes a thousandth."""
ROOM_BYTES: Final = 1 << 30
"""Memory that one rendering may add to the process."""
LONGEST: Final = 64 << 20
"""Characters of a rendered text; as long as the longest row in bytes."""

_LOOKED_AT_EVERY: Final = 256
_Limit = tuple[int, int]


class _TimeIsUp(BaseException):
    """Not an `Exception`: what runs in a template must not go on behind it."""


class RenderLimits:
    """Runs one rendering after the other, each within the same limits."""

    def __init__(
        self,
        seconds: float = SECONDS,
        room_bytes: int = ROOM_BYTES,
        longest: int = LONGEST,
    ) -> None:
        """Take the limits.

        Args:
            seconds: Of processor time, so that a busy machine refuses nothing. Kept
                where the system has such a clock, and in the main thread.
            room_bytes: Beyond what the process has. Kept on Linux alone.
            longest: Characters of the text.
        """
        self._seconds, self._room, self._longest = seconds, room_bytes, longest
        self._left = 0
        self._memory: tuple[_Limit | None, _Limit | None] = None, None
        self._listens = False

    def run(self, render: Callable[[], str]) -> str:
        """Render a text.

        Raises:
            StudioError: The template takes more than it may.
        """
        try:
            text = self._rendered(render)
        except _TimeIsUp:
            raise _refused(
                f"was still at work after {self._seconds:g} seconds"
            ) from None
        except MemoryError:
            raise _refused(
                f"asked for more than {self._room / (1 << 30):g} GiB of memory"
            ) from None
        if len(text) > self._longest:
            raise _refused(f"made a text of {len(text):,} characters")
        return text

    def _rendered(self, render: Callable[[], str]) -> str:
        try:
            return self._bounded(render)
        except MemoryError:
            if self._left == _LOOKED_AT_EVERY - 1:
                raise
        # The process itself may have grown since its size was looked at.
        self._left = 0
        return self._bounded(render)

    def _bounded(self, render: Callable[[], str]) -> str:
        # No context managers: a set of a million rows comes through here.
        ceiling, before = self._memory_now()
        is_timed = self._can_time()
        try:
            if ceiling is not None:
                _set_ceiling(ceiling)
            if is_timed:
                signal.setitimer(signal.ITIMER_PROF, self._seconds)
            return render()
        finally:
            if is_timed:
                signal.setitimer(signal.ITIMER_PROF, 0)
            if before is not None:
                _set_ceiling(before)

    def _can_time(self) -> bool:
        if sys.platform == "win32" or not _is_main_thread():
            return False
        if not self._listens:
            signal.signal(signal.SIGPROF, _on_time_up)
            self._listens = True
        return True

    def _memory_now(self) -> tuple[_Limit | None, _Limit | None]:
        """The limit for the next rendering, and the one to go back to."""
        if sys.platform != "linux":
            return None, None
        if not self._left:
            import resource

            self._left = _LOOKED_AT_EVERY
            soft, hard = resource.getrlimit(resource.RLIMIT_AS)
            ceiling = _address_space_bytes() + self._room
            if soft != resource.RLIM_INFINITY:
                ceiling = min(ceiling, soft)
            self._memory = (ceiling, hard), (soft, hard)
        self._left -= 1
        return self._memory


def _set_ceiling(limit: _Limit) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, limit)


def _address_space_bytes() -> int:
    import resource

    pages = int(Path("/proc/self/statm").read_bytes().split()[0])
    return pages * resource.getpagesize()


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _on_time_up(_number: int, _frame: FrameType | None) -> None:
    raise _TimeIsUp


def _refused(what: str) -> StudioError:
    return refusal(
        "data.template-refused",
        f"The model's chat template {what} on one row, and was ended.",
        why="An honest template takes a thousandth of a second. This one is broken, "
        "or meant to do harm.",
        fix="Choose another model, or fetch this one from its maker.",
        where="model.name",
    )
