"""What the page of evaluations has the engine do."""

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.finding import Finding, Severity
from studio.protocol.events import EngineEvent
from studio.ui.pages.engine_job import EngineJob, TaskFor
from studio.ui.pages.evaluation.view_model import EvaluationOrder, going_on


class Measuring(QObject):
    """Evaluates one run at a time.

    Attributes:
        job: The engine at work.

    Signals:
        measuring_went_on: Where it is in words, and how far, 0 to 1 or below 0.
        measuring_done: The `Evaluated` event.
        measuring_stopped: It was stopped; nothing is kept.
        measuring_failed: A `Finding`.
    """

    measuring_went_on = Signal(str, float)
    measuring_done = Signal(object)
    measuring_stopped = Signal()
    measuring_failed = Signal(object)

    def __init__(self, task_for: TaskFor, parent: QObject) -> None:
        super().__init__(parent)
        self.job = EngineJob(task_for, self)
        self.job.event_arrived.connect(self._on_event_arrived)
        self.job.task_done.connect(self.measuring_done)
        self.job.task_failed.connect(self._on_task_failed)

    def measure(self, order: EvaluationOrder) -> None:
        """Begin."""
        log = order.run / "log.txt"
        self.job.begin("evaluate", *order.arguments(), log_path=log)

    @Slot(object)
    def _on_event_arrived(self, event: EngineEvent) -> None:
        told = going_on(event)
        if told is not None:
            self.measuring_went_on.emit(*told)

    @Slot(object)
    def _on_task_failed(self, finding: Finding) -> None:
        if finding.severity is Severity.INFO:
            self.measuring_stopped.emit()
        else:
            self.measuring_failed.emit(finding)
