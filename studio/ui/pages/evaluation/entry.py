"""The way into a run's evaluations, and out again; for the Runs page."""

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.run import RunSnapshot
from studio.ui.pages.desk import Desk
from studio.ui.pages.evaluation.panel import EvaluationPanel


class EvaluationEntry(QObject):
    """Whether evaluations are at hand instead of the list of runs.

    Attributes:
        panel: What is shown then.
        is_open: Whether it shall be shown.

    Signals:
        is_open_changed: It was opened or left.
    """

    is_open_changed = Signal()

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self.panel = EvaluationPanel(desk)
        self.is_open = False

    def look_at(self, run: RunSnapshot) -> None:
        """Show the evaluations of a run."""
        self.panel.begin(run)
        self._open(is_open=True)

    @Slot()
    def close(self) -> None:
        """Leave them; what is being measured goes on."""
        self._open(is_open=False)

    def facts(self) -> str:
        """The line below the title."""
        run = self.panel.run
        return "" if run is None else f"{run.name} beside its base"

    def _open(self, *, is_open: bool) -> None:
        self.is_open = is_open
        self.is_open_changed.emit()
