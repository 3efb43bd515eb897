"""What the form of drafts has the engine do."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.finding import Finding, Severity
from studio.protocol.events import EngineEvent
from studio.ui.pages.drafts.view_model import MakingOrder, going_on
from studio.ui.pages.engine_job import EngineJob, TaskFor


class Making(QObject):
    """Makes drafts, one order at a time.

    Attributes:
        job: The engine at work.

    Signals:
        making_went_on: Where it is in words, and how far, 0 to 1 or below 0.
        making_done: The `DraftsMade` event.
        making_stopped: It was stopped before it could tell what it made.
        making_failed: A `Finding`.
    """

    making_went_on = Signal(str, float)
    making_done = Signal(object)
    making_stopped = Signal()
    making_failed = Signal(object)

    def __init__(self, task_for: TaskFor, log_path: Path, parent: QObject) -> None:
        super().__init__(parent)
        self._log_path = log_path
        self.job = EngineJob(task_for, self)
        self.job.event_arrived.connect(self._on_event_arrived)
        self.job.task_done.connect(self.making_done)
        self.job.task_failed.connect(self._on_task_failed)

    def make(self, order: MakingOrder) -> None:
        """Begin; what is made is kept whatever ends it."""
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self.job.begin("make-data", *order.arguments(), log_path=self._log_path)

    @Slot(object)
    def _on_event_arrived(self, event: EngineEvent) -> None:
        told = going_on(event)
        if told is not None:
            self.making_went_on.emit(*told)

    @Slot(object)
    def _on_task_failed(self, finding: Finding) -> None:
        if finding.severity is Severity.INFO:
            self.making_stopped.emit()
        else:
            self.making_failed.emit(finding)
