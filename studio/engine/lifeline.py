"""What ties an engine to the program that started it, and how it is told to end.

Three things end an engine early: the end of its input (its window is gone), the death
of its parent where the system tells of it, and SIGTERM. Each interrupts the work at
once where that is safe, so that a long step doesn't keep a card; what was learnt up
to the last whole step is then saved. If the work doesn't let go within
`LET_GO_S`, for it hangs in a library's own code, a watchdog ends the process.
"""

import contextlib
import ctypes
import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from studio.domain.errors import ExitCode
from studio.system.windows_job import tie_children

KEEP_RUNNING = "SNUGTUNE_KEEP_RUNNING"
PARENT_PID = "SNUGTUNE_PARENT_PID"
LET_GO_S = 10.0
# Saving an adapter to a slow disk may take longer than letting go of a step.
SAVE_S = 60.0

_PR_SET_PDEATHSIG = 1


class Interrupted(BaseException):
    """The work is to end now.

    Not an `Exception`: libraries catch those and go on.
    """


class Lifeline:
    """Turns signals and the loss of the parent into `Interrupted`.

    Attributes:
        is_cut: Whether the engine has been told to end.
        exit_code: What the engine exits with when it is cut.
    """

    def __init__(self, *, keep_running: bool = False) -> None:
        """Tie nothing yet.

        Args:
            keep_running: The engine outlives its parent.
        """
        self.is_cut = False
        self.exit_code = ExitCode.STOPPED
        self._keep_running = keep_running
        self._may_raise = False
        self._watchdog: threading.Timer | None = None

    def install(self) -> None:
        """Listen to signals and to the parent; only the main thread may call this."""
        self.install_handlers()
        tie_children()
        if sys.platform == "linux" and not self._keep_running:
            # A signal of its own: SIGTERM must still end an engine that was let go.
            signal.signal(signal.SIGHUP, self._on_parent_died)
            _ask_for(signal.SIGHUP)
            if os.environ.get(PARENT_PID) not in {None, str(os.getppid())}:
                self._on_parent_died()

    def install_handlers(self) -> None:
        """Listen to the signals that end a program."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def let_go(self) -> None:
        """Outlive the parent from now on."""
        self._keep_running = True

    def input_ended(self) -> None:
        """Say that nobody is left to give orders; any thread may call this."""
        if not self._keep_running:
            self.exit_code = ExitCode.ORPHANED
            _interrupt_main_thread()

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Let the work inside be interrupted; end it here if it should end already."""
        with self._raising(allowed=True):
            self.check()
            yield

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Let the work inside finish; the interruption follows behind it."""
        with self._raising(allowed=False):
            yield
        if self._may_raise:
            self.check()

    def check(self) -> None:
        """End here if the engine was told to.

        Raises:
            Interrupted: It was.
        """
        if self.is_cut:
            raise Interrupted

    def grant(self, seconds: float) -> None:
        """Put the watchdog off, for work that must be finished."""
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watch(seconds)

    def release(self) -> None:
        """Call the watchdog off: the engine has come to its end."""
        if self._watchdog is not None:
            self._watchdog.cancel()

    @contextlib.contextmanager
    def _raising(self, *, allowed: bool) -> Iterator[None]:
        before, self._may_raise = self._may_raise, allowed
        try:
            yield
        finally:
            self._may_raise = before

    def _on_signal(self, *_: int | FrameType | None) -> None:
        if not self.is_cut:
            self.is_cut = True
            self._watch(LET_GO_S)
        if self._may_raise:
            self._may_raise = False  # once; what cleans up must not be interrupted
            raise Interrupted

    def _on_parent_died(self, *_: int | FrameType | None) -> None:
        if not self._keep_running:
            self.exit_code = ExitCode.ORPHANED
            self._on_signal()

    def _watch(self, seconds: float) -> None:
        self._watchdog = threading.Timer(seconds, os._exit, [self.exit_code])
        self._watchdog.daemon = True
        self._watchdog.start()


def has_listener() -> bool:
    """Whether stdin is a pipe that a program can hold.

    The end of a terminal's or a file's input says nothing about anybody's life.
    """
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def read_input(take: Callable[[bytes], None], at_end: Callable[[], None]) -> None:
    """Hand on each line of stdin until it ends; meant for a thread of its own.

    Read unbuffered from descriptor 0: a buffered read holds a lock that the
    interpreter waits for at its end.
    """
    rest = b""
    while chunk := _read_chunk():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            take(line)
    at_end()


def _read_chunk() -> bytes:
    try:
        return os.read(0, 65536)
    except OSError:
        return b""


def _ask_for(number: int) -> None:
    """Have Linux send this signal when the parent dies (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def _interrupt_main_thread() -> None:
    import _thread

    _thread.interrupt_main(signal.SIGTERM)
