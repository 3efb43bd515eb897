"""Data sets inspected beside the window, by an engine that holds nothing up.

At most one engine is at work, and what it finds in a data set that nobody asks about
any more is not told.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.domain.recipe import Recipe
from studio.protocol.data_events import DataInspected
from studio.protocol.events import EngineEvent, Progress
from studio.services.background import BackgroundCall, unexpected
from studio.services.engine_task import EngineTask
from studio.services.inspections import VERB, InspectionOrder, InspectionResult
from studio.services.launch import engine_command

if TYPE_CHECKING:
    from studio.domain.data_report import DataReport
    from studio.storage.data_index import DataIndex

REST_MS: Final = 400


class DataInspector(QObject):
    """Inspects what a recipe learns from; the newest order wins.

    Attributes:
        report: Of the data set that was ordered last; None until it is found.
        index: Where its rows are; None until that is known.
        tokens: Of each usable row; empty until they are counted.

    Signals:
        progress(int, int): Rows done, and of how many, as far as can be judged.
        report_ready(object): A `DataReport`. With `quickly_first` there are two of
            them, the first without tokens.
        inspection_failed(object): A `Finding`: why there is no report.
        state_changed: Work began or ended.
    """

    progress = Signal(int, int)
    report_ready = Signal(object)
    inspection_failed = Signal(object)
    state_changed = Signal()

    def __init__(
        self,
        *,
        rest_ms: int = REST_MS,
        command_for: Callable[..., Sequence[str]] = engine_command,
        parent: QObject | None = None,
    ) -> None:
        """Make an inspector that has been asked nothing.

        Args:
            rest_ms: How long an order must stand before work on it begins.
            command_for: From the verb and its arguments to an engine's command line.
            parent: Qt's owner.
        """
        super().__init__(parent)
        self.report: DataReport | None = None
        self.index: DataIndex | None = None
        self.tokens: Sequence[int] = ()
        self._command_for = command_for
        self._order: InspectionOrder | None = None
        self._left: list[InspectionOrder] = []
        self._at_work_on: InspectionOrder | None = None
        self._call: BackgroundCall | None = None
        self._task: EngineTask | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(rest_ms)
        self._timer.timeout.connect(self._begin)

    @property
    def is_running(self) -> bool:
        """Whether something is still to be told of the last order."""
        return bool(self._left) or self._at_work_on is not None

    def inspect(
        self, recipe: Recipe, *, quickly_first: bool = False, again: bool = False
    ) -> None:
        """Inspect what a recipe learns from; cheap when nothing has changed.

        Args:
            recipe: With a data file.
            quickly_first: Find what needs no tokens first, for a large file.
            again: Even if the same was ordered before; its file may have changed.
        """
        order = InspectionOrder.of(recipe)
        if order == self._order and not again:
            return
        self.cancel()
        self._order = order
        quick = [order.without_model()] if quickly_first and order.model else []
        self._left = [*quick, order]
        self._timer.start()
        self.state_changed.emit()

    def cancel(self) -> None:
        """Let go of the order; nothing more is told of it."""
        self._order, self._at_work_on = None, None
        self.report, self.index, self.tokens = None, None, ()
        self._left.clear()
        self._timer.stop()
        if self._task is not None:
            self._task.kill()
        self.state_changed.emit()

    @Slot()
    def close(self) -> None:
        """End all work and wait for it; for a window that closes."""
        self._order, self._at_work_on = None, None
        self._left.clear()
        self._timer.stop()
        if self._call is not None:
            self._call.wait()
            self._call = None
        if self._task is not None:
            self._task.close()
        self._let_go()

    @Slot()
    def _begin(self) -> None:
        if self._call is not None or self._task is not None or not self._left:
            return  # begun when what is under way has ended
        order = self._at_work_on = self._left.pop(0)
        self._ask(order.known_result, self._on_known)

    def _ask(
        self, function: Callable[[], object], answered: Callable[..., None]
    ) -> None:
        """Read from the disk in a thread of its own."""
        self._call = BackgroundCall(function)
        self._call.call_done.connect(answered)  # bound methods of this thread
        self._call.call_failed.connect(self._on_failed)
        self._call.start()

    @Slot(object)
    def _on_known(self, found: InspectionResult | None) -> None:
        if self._was_in_vain():
            return
        if found is not None:
            self._tell(found)
            return
        order = self._at_work_on
        assert order is not None
        try:
            self._folder = tempfile.TemporaryDirectory(prefix="snugtune-")
            arguments = order.arguments(Path(self._folder.name))
        except StudioError as refused:
            self._fail(refused.finding)
            return
        except OSError as fault:
            self._fail(unexpected(fault))
            return
        command = list(self._command_for(VERB, *arguments))
        self._task = EngineTask(VERB, command=command, parent=self)
        self._task.event_arrived.connect(self._on_event_arrived)
        self._task.task_done.connect(self._on_task_done)
        self._task.task_failed.connect(self._on_task_failed)
        self._task.start()

    @Slot(object)
    def _on_event_arrived(self, event: EngineEvent) -> None:
        if isinstance(event, Progress) and self._at_work_on is not None:
            self.progress.emit(int(event.done), int(event.total))

    @Slot(object)
    def _on_task_done(self, told: DataInspected) -> None:
        self._let_go()
        if self._at_work_on is None:
            self._begin()
        else:
            self._ask(lambda: InspectionResult.of(told), self._on_read)

    @Slot(object)
    def _on_read(self, found: InspectionResult) -> None:
        if not self._was_in_vain():
            self._tell(found)

    @Slot(object)
    def _on_failed(self, finding: Finding) -> None:
        if not self._was_in_vain():
            self._fail(finding)

    @Slot(object)
    def _on_task_failed(self, finding: Finding) -> None:
        self._let_go()
        if self._at_work_on is None:
            self._begin()
        else:
            self._fail(finding)

    def _was_in_vain(self) -> bool:
        """Let the call go; whether nobody waits for it any more."""
        if self._call is None:
            return True  # closed meanwhile
        self._call.wait()
        self._call = None
        if self._at_work_on is None:
            self._begin()
            return True
        return False

    def _tell(self, found: InspectionResult) -> None:
        self.report, self.index = found.report, found.index
        self.tokens = found.tokens
        self._at_work_on = None
        is_over = not self._left
        self.report_ready.emit(found.report)
        if is_over:
            self.state_changed.emit()
        self._begin()

    def _fail(self, finding: Finding) -> None:
        self._at_work_on = None
        self._folder_gone()
        self.inspection_failed.emit(finding)
        self.state_changed.emit()
        self._begin()

    def _let_go(self) -> None:
        if self._task is not None:
            self._task.deleteLater()
            self._task = None
        self._folder_gone()

    def _folder_gone(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
