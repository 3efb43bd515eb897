"""The question when the window closes during a run, and what follows each answer."""

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from studio.domain.run import RunSnapshot
from studio.services.preferences import KeepRunning
from studio.ui.icon_names import IconName
from studio.ui.pages.desk import Desk
from studio.ui.pages.question import Question
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.labels import Role, label

_WIDTH: Final = 560
_QUEUE_WORDS: Final = " The runs that wait stay in the queue until it is started again."
WAITING: Final = (
    "Close, and hold the queue?",
    "The runs that wait stay in the queue until it is started again.",
    "Close",
    "Stay",
)


class CloseDialog(QDialog):
    """Keep running, pause and close, stop and close, or stay.

    Attributes:
        keep: Lets the run go on without the window.
        pause: Saves after the step under way and gives the memory back, then closes.
        stop: Ends the run after the step under way, then closes.
        stay: Changes nothing; also Escape.
    """

    def __init__(
        self, run: RunSnapshot, parent: QWidget | None = None, *, drives: bool = False
    ) -> None:
        """Make the dialog; `open` shows it.

        Args:
            run: That still trains.
            parent: The window.
            drives: Whether the window starts the queue's runs.
        """
        super().__init__(parent)
        self.setWindowTitle("Close Snugtune")
        self.setModal(True)
        self.keep = button("Keep running", ButtonKind.PRIMARY)
        self.pause = button("Pause and close", icon=IconName.PAUSE)
        self.stop = button("Stop and close", ButtonKind.DANGER)
        self.stay = button("Stay")
        self.stay.clicked.connect(self.reject)
        title = label(f"{run.name} is still training", Role.CARD_TITLE, wraps=True)
        words = label(_words(run, drives=drives), tone=Tone.MUTED, wraps=True)
        buttons = QHBoxLayout()
        buttons.setSpacing(Space.SMALL)
        for made in (self.keep, self.pause, self.stop, self.stay):
            buttons.addWidget(made)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.PAGE, Space.PAGE, Space.PAGE, Space.PAGE)
        column.setSpacing(Space.MEDIUM)
        for widget in (title, words):
            widget.setFixedWidth(_WIDTH - 2 * Space.PAGE)
            column.addWidget(widget)
        column.addSpacing(Space.HAIR)
        column.addLayout(buttons)
        # As high as the words need at this width; a fixed width alone clips them.
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)


class CloseGuard(QObject):
    """Decides, with the user, whether the window may close.

    Signals:
        closing_granted: The window may close now.
        waiting_for_stop: The run was told to end; the window closes after it.
    """

    closing_granted = Signal()
    waiting_for_stop = Signal()

    def __init__(self, desk: Desk, window: QWidget) -> None:
        super().__init__(window)
        self._controller = desk.controller
        self._preferences = desk.preferences
        self._queue = desk.queue
        self._window = window
        self._closes_after_run = False
        self.dialog: CloseDialog | None = None
        self.question: Question | None = None
        self._controller.run_ended.connect(self._on_run_ended)

    def may_close(self) -> bool:
        """Whether the window may close now; if not, the user is asked."""
        keeps = self._preferences.keep_running
        is_running, more = self._controller.is_running, self._queue.would_start_more()
        if more and (not is_running or keeps is KeepRunning.YES):
            return self._ask_about_queue()
        if not is_running:
            return True
        match keeps:
            case KeepRunning.YES:
                self._controller.close(keep_running=True)
                return True
            case KeepRunning.NO:
                self._end_then_close(self._controller.stop)
            case KeepRunning.ASK:
                self._ask()
        return False

    def _ask_about_queue(self) -> bool:
        """Ask before a queue is held by the window's end; false until answered."""
        if self.question is None:
            self.question = Question(*WAITING, self._window)
            self.question.deed_confirmed.connect(self._on_hold)
            self.question.finished.connect(self._on_question_finished)
            self.question.open()
        return False

    @Slot()
    def _on_hold(self) -> None:
        self._queue.hold()
        self.closing_granted.emit()

    @Slot()
    def _on_question_finished(self) -> None:
        self.question = None

    def _ask(self) -> None:
        run = self._controller.snapshot
        if self.dialog is not None or run is None:
            return
        self.dialog = CloseDialog(
            run, self._window, drives=self._queue.would_start_more()
        )
        self.dialog.keep.clicked.connect(self._on_keep)
        self.dialog.pause.clicked.connect(self._on_pause)
        self.dialog.stop.clicked.connect(self._on_stop)
        self.dialog.finished.connect(self._on_dialog_finished)
        self.dialog.open()

    def _end_then_close(self, end: Callable[[], None]) -> None:
        if not self._closes_after_run:
            self._closes_after_run = True
            end()
            self.waiting_for_stop.emit()

    @Slot()
    def _on_keep(self) -> None:
        self._end_dialog()
        self._queue.hold()
        if self._controller.is_running:
            self._controller.close(keep_running=True)
        self.closing_granted.emit()

    @Slot()
    def _on_pause(self) -> None:
        self._close_after(self._controller.pause)

    @Slot()
    def _on_stop(self) -> None:
        self._close_after(self._controller.stop)

    def _close_after(self, end: Callable[[], None]) -> None:
        self._end_dialog()
        if self._controller.is_running:
            self._end_then_close(end)
        else:
            self.closing_granted.emit()

    def _end_dialog(self) -> None:
        if self.dialog is not None:
            self.dialog.accept()

    @Slot()
    def _on_dialog_finished(self) -> None:
        if self.dialog is not None:
            self.dialog.deleteLater()
            self.dialog = None

    @Slot()
    def _on_run_ended(self) -> None:
        was_asking = self.dialog is not None
        self._end_dialog()  # there is nothing to decide any more
        if self._closes_after_run or was_asking:
            self._closes_after_run = False
            self.closing_granted.emit()


def _words(run: RunSnapshot, *, drives: bool) -> str:
    done = "It has not finished a step yet."
    if run.steps and run.total_steps:
        done = f"Step {run.step:,} of {run.total_steps:,} is done."
    return (
        f"{done} Without the window it can run on and is shown here again later; if "
        "memory runs out meanwhile, it pauses and waits for you. Paused, it gives its "
        "memory back after this step and goes on from there some other day; stopped, "
        f"its adapter is saved.{_QUEUE_WORDS if drives else ''}"
    )
