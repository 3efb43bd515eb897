"""One engine task at a time, which ends with the program."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Signal, Slot

from studio.domain.finding import Finding
from studio.protocol.events import EngineEvent
from studio.services.engine_task import EngineTask

TaskFor = Callable[..., EngineTask]
"""Makes a task from a verb, its arguments and ``log_path``."""


class EngineJob(QObject):
    """Runs engine verbs one after the other; none overlaps the next.

    Signals:
        event_arrived: Each event, while a task runs.
        task_done: The task's result; another may be begun at once.
        task_failed: A `Finding`; another may be begun at once.
    """

    event_arrived = Signal(object)
    task_done = Signal(object)
    task_failed = Signal(object)

    def __init__(self, task_for: TaskFor, parent: QObject) -> None:
        super().__init__(parent)
        self._task_for = task_for
        self._task: EngineTask | None = None
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.close)

    @property
    def is_running(self) -> bool:
        """Whether the engine is at work for this job."""
        return self._task is not None

    def begin(self, verb: str, *arguments: str, log_path: Path) -> None:
        """Start the engine on a verb.

        Args:
            verb: What it is told to do.
            arguments: Of the verb.
            log_path: Where its libraries' output goes.

        Raises:
            RuntimeError: It is still at work on another.
        """
        if self._task is not None:
            message = f"{verb} was begun while {self._task.verb} is running"
            raise RuntimeError(message)
        self._task = self._task_for(verb, *arguments, log_path=log_path)
        self._task.event_arrived.connect(self.event_arrived)
        self._task.task_done.connect(self._on_task_done)
        self._task.task_failed.connect(self._on_task_failed)
        self._task.start()

    @Slot()
    def cancel(self) -> None:
        """End the engine; `task_failed` tells when it has ended."""
        if self._task is not None:
            self._task.cancel()

    @Slot()
    def close(self) -> None:
        """End the engine at once and wait; for a window that closes."""
        if self._task is not None:
            self._task.close()
            self._let_go()

    def _let_go(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.deleteLater()

    @Slot(object)
    def _on_task_done(self, result: EngineEvent) -> None:
        self._let_go()
        self.task_done.emit(result)

    @Slot(object)
    def _on_task_failed(self, finding: Finding) -> None:
        self._let_go()
        self.task_failed.emit(finding)
