"""Who holds main memory, told beside the window while somebody looks."""

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio.domain.finding import Finding
from studio.services.background import BackgroundCall
from studio.system.programs import largest_programs


class ProgramsMonitor(QObject):
    """Lists the largest programs every few seconds.

    Signals:
        programs_listed(object): A sequence of `GpuProcess`, largest first.
    """

    programs_listed = Signal(object)

    def __init__(self, interval_s: float = 5.0, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._call: BackgroundCall | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(round(interval_s * 1000))
        self._timer.timeout.connect(self.refresh)

    def start(self) -> None:
        """Begin to list, at once and then in turns."""
        if not self._timer.isActive():
            self._timer.start()
            self.refresh()

    def stop(self) -> None:
        """End listing and wait for a list under way."""
        self._timer.stop()
        if self._call is not None:
            self._call.wait()
            self._call = None

    @Slot()
    def refresh(self) -> None:
        """List now; a list under way is enough."""
        if self._call is not None:
            return
        self._call = BackgroundCall(largest_programs)
        self._call.call_done.connect(self._on_call_done)
        self._call.call_failed.connect(self._on_call_failed)
        self._call.start()

    @Slot(object)
    def _on_call_done(self, programs: object) -> None:
        if self._let_go():
            self.programs_listed.emit(programs)

    @Slot(object)
    def _on_call_failed(self, _finding: Finding) -> None:
        # A list that fails leaves the last one in place; the next turn tries again.
        self._let_go()

    def _let_go(self) -> bool:
        if self._call is None:
            return False  # stopped meanwhile
        self._call.wait()
        self._call = None
        return True
