"""Mends that need a model's tokenizer, done by an engine beside the window."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.errors import StudioError
from studio.domain.finding import Finding, error
from studio.domain.recipe import Recipe
from studio.protocol.data_events import DataFixed
from studio.protocol.events import EngineEvent, Progress
from studio.services.background import unexpected
from studio.services.engine_task import EngineTask
from studio.services.inspections import InspectionOrder

VERB: Final = "fix-data"
_NO_MODEL: Final = error(
    "data.fix-needs-model",
    "Which rows are too long depends on the model, and it is not on this machine.",
    fix="Fetch the model on the Model page, or choose another.",
)


class MendingEngine(QObject):
    """Runs one engine at a time.

    Signals:
        rows_counted(int): So many rows' tokens are counted by now.
        file_written(object): The `DataFixed` event.
        failed(object): A `Finding`; of severity INFO when it was stopped.
    """

    rows_counted = Signal(int)
    file_written = Signal(object)
    failed = Signal(object)

    def __init__(
        self, command_for: Callable[..., Sequence[str]], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._command_for = command_for
        self._task: EngineTask | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def is_running(self) -> bool:
        """Whether a file is being written."""
        return self._task is not None

    def begin(self, recipe: Recipe, codes: Sequence[str], out: Path) -> None:
        """Write a new file.

        Args:
            recipe: Names the data, how it is read, the model and the length.
            codes: Of the findings that are mended.
            out: The new file; nothing lies there.

        Raises:
            StudioError: The model isn't here, or the disk refuses.
        """
        order = InspectionOrder.of(recipe)
        if not order.model:
            raise StudioError(_NO_MODEL)
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="snugtune-")
        except OSError as fault:
            raise StudioError(unexpected(fault)) from fault
        about = order.arguments(Path(self._folder.name))
        options = ("--codes", ",".join(codes), "--out", str(out))
        command = list(self._command_for(VERB, *about, *options))
        self._task = EngineTask(VERB, command=command, parent=self)
        self._task.event_arrived.connect(self._on_event_arrived)
        self._task.task_done.connect(self._on_task_done)
        self._task.task_failed.connect(self._on_task_failed)
        self._task.start()

    def stop(self) -> None:
        """End the engine; `failed` tells when it has ended."""
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """End the engine at once and wait for it; for a window that closes."""
        if self._task is not None:
            self._task.close()
            self._let_go()

    @Slot(object)
    def _on_event_arrived(self, event: EngineEvent) -> None:
        if isinstance(event, Progress):
            self.rows_counted.emit(int(event.done))

    @Slot(object)
    def _on_task_done(self, told: DataFixed) -> None:
        self._let_go()
        self.file_written.emit(told)

    @Slot(object)
    def _on_task_failed(self, finding: Finding) -> None:
        self._let_go()
        self.failed.emit(finding)

    def _let_go(self) -> None:
        if self._task is not None:
            self._task.deleteLater()
            self._task = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
