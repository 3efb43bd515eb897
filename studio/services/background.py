"""Work that would hold up the window, done in a thread, its result told in the window.

Results reach bound methods of objects that live in the GUI thread; a lambda connected
to a thread's signal would run in that thread.
"""

from collections.abc import Callable

from PySide6.QtCore import QObject, QThread, Signal

from studio.domain.errors import StudioError
from studio.domain.finding import Finding, error


class BackgroundCall(QThread):
    """One call of a function in a thread of its own.

    Connect `call_done` and `call_failed` to bound methods, then `start`. Keep the
    object until `finished`, and call `wait` before letting it go.

    Signals:
        call_done(object): What the function returned.
        call_failed(object): A `Finding`: the function's refusal, or its fault.
    """

    call_done = Signal(object)
    call_failed = Signal(object)

    def __init__(
        self, function: Callable[[], object], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._function = function

    def run(self) -> None:
        """Call the function; Qt calls this in the new thread."""
        try:
            result = self._function()
        except StudioError as refused:
            self.call_failed.emit(refused.finding)
        except Exception as fault:  # noqa: BLE001 - a worker's top: every end is told
            self.call_failed.emit(unexpected(fault))
        else:
            self.call_done.emit(result)


class WorkerThread:
    """A thread for a worker object that has a `run` slot of its own.

    Args:
        worker: Without a parent; it moves to the thread.
        run: Its slot; the thread's work.
    """

    def __init__(self, worker: QObject, run: Callable[[], None]) -> None:
        self._thread = QThread()
        self._worker = worker
        worker.moveToThread(self._thread)
        self._thread.started.connect(run)

    def start(self) -> None:
        """Begin the work."""
        self._thread.start()

    def join(self, limit_ms: int = 120_000) -> bool:
        """Wait for the work's end and end the thread; whether it did in time."""
        self._thread.quit()
        return self._thread.wait(limit_ms)


def unexpected(fault: Exception) -> Finding:
    """A fault that nobody foresaw, as a finding."""
    return error(
        "unexpected",
        f"Something failed that should not: {type(fault).__name__}: {fault}.",
        fix="Report it with the log, and try again.",
    )
