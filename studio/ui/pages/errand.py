"""A reading of the disk that a page sends for, again and again, beside the window."""

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, QObject, Signal, Slot

from studio.domain.finding import Finding
from studio.services.background import BackgroundCall


class Errand(QObject):
    """Calls one function in a thread; at most one call runs and one waits.

    Signals:
        errand_done(object): What the function returned.
        errand_failed(object): A `Finding`.
    """

    errand_done = Signal(object)
    errand_failed = Signal(object)

    def __init__(
        self, function: Callable[[], object], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._function = function
        self._call: BackgroundCall | None = None
        self._is_wanted_again = False
        application = QCoreApplication.instance()
        if application is not None:
            # A thread that outlives the program's last objects would abort it.
            application.aboutToQuit.connect(self.close)

    @property
    def is_running(self) -> bool:
        """Whether an answer is still to come."""
        return self._call is not None

    def run(self) -> None:
        """Send for an answer; what is under way is followed by one more call."""
        if self._call is not None:
            self._is_wanted_again = True
            return
        self._call = BackgroundCall(self._function)
        self._call.call_done.connect(self._on_call_done)
        self._call.call_failed.connect(self._on_call_failed)
        self._call.start()

    @Slot()
    def close(self) -> None:
        """Wait for the call under way; its answer isn't told."""
        self._is_wanted_again = False
        if self._call is not None:
            self._call.wait()
            self._call = None

    @Slot(object)
    def _on_call_done(self, answer: object) -> None:
        if self._is_current():
            self.errand_done.emit(answer)

    @Slot(object)
    def _on_call_failed(self, finding: Finding) -> None:
        if self._is_current():
            self.errand_failed.emit(finding)

    def _is_current(self) -> bool:
        """Let the reporting call go; false when it was closed meanwhile."""
        call = self._call
        if call is None or self.sender() is not call:
            return False
        call.wait()
        self._call = None
        if self._is_wanted_again:
            self._is_wanted_again = False
            self.run()
        return True
