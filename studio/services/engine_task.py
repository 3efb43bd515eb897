"""A deed of the engine other than training, such as merging or answering a prompt."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.finding import Finding, Severity
from studio.protocol.events import EngineEvent
from studio.services.background import WorkerThread
from studio.services.engine_process import EngineProcess
from studio.services.launch import engine_command
from studio.services.process_outcome import Ordered, ProcessOutcome
from studio.services.trainer_process import TrainingWorker


class EngineTask(QObject):
    """One engine verb, run beside the window.

    Attributes:
        verb: Such as ``merge``.

    Signals:
        event_arrived(object): Each `EngineEvent` as it is said, progress included.
        task_done(object): The event that is the verb's result.
        task_failed(object): A `Finding`; of severity INFO when it was cancelled.
    """

    event_arrived = Signal(object)
    task_done = Signal(object)
    task_failed = Signal(object)

    def __init__(
        self,
        verb: str,
        *arguments: str,
        log_path: Path | None = None,
        command: list[str] | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Prepare the task; `start` begins it.

        Args:
            verb: What the engine is told to do.
            arguments: Of the verb.
            log_path: Where its libraries' output goes; nowhere when None.
            command: Another command line, for tests.
            parent: Qt's owner.
        """
        super().__init__(parent)
        self.verb = verb
        line = command or engine_command(verb, *arguments)
        self._worker = TrainingWorker(EngineProcess(line, log_path=log_path))
        self._worker.events_arrived.connect(self._on_events_arrived)
        self._worker.run_ended.connect(self._on_run_ended)
        self._thread = WorkerThread(self._worker, self._worker.run)
        self._is_running = False

    @property
    def is_running(self) -> bool:
        """Whether it was started and its end has not been told."""
        return self._is_running

    def start(self) -> None:
        """Start the engine; it is started once."""
        if not self._is_running:
            self._is_running = True
            self._thread.start()

    def cancel(self) -> None:
        """End it; `task_failed` tells when it has ended."""
        self._worker.terminate()

    def kill(self) -> None:
        """End it at once, without waiting; `task_failed` tells when it has ended."""
        self._worker.kill()

    def close(self) -> None:
        """End it at once and wait; for a window that closes."""
        if self._is_running:
            self._worker.kill()
            self._thread.join()

    @Slot(list)
    def _on_events_arrived(self, events: list[EngineEvent]) -> None:
        for event in events:
            self.event_arrived.emit(event)

    @Slot(object)
    def _on_run_ended(self, outcome: ProcessOutcome) -> None:
        self._thread.join()
        self._is_running = False
        failure = outcome.finding()
        if failure is None:
            self.task_done.emit(outcome.last_word)
        elif outcome.ordered in {Ordered.TERMINATE, Ordered.KILL}:
            self.task_failed.emit(_cancelled())
        else:
            self.task_failed.emit(failure)


def _cancelled() -> Finding:
    return Finding(
        code="task.cancelled",
        severity=Severity.INFO,
        what="Stopped; nothing half-made was kept.",
    )
