"""The question when the window closes during a run, and what follows each answer."""

from collections.abc import Callable
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from studio.domain.run import RunSnapshot
from studio.services.preferences import KeepRunning, Preferences
from studio.services.run_controller import RunController
from studio.ui.icon_names import IconName
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.labels import Role, label

_WIDTH: Final = 560


class CloseDialog(QDialog):
    """Keep running, pause and close, stop and close, or stay.

    Attributes:
        keep: Lets the run go on without the window.
        pause: Saves after the step under way and gives the memory back, then closes.
        stop: Ends the run after the step under way, then closes.
        stay: Changes nothing; also Escape.
    """

    def __init__(self, run: RunSnapshot, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Close Snugtune")
        self.setModal(True)
        self.keep = button("Keep running", ButtonKind.PRIMARY)
        self.pause = button("Pause and close", icon=IconName.PAUSE)
        self.stop = button("Stop and close", ButtonKind.DANGER)
        self.stay = button("Stay")
        self.stay.clicked.connect(self.reject)
        title = label(f"{run.name} is still training", Role.CARD_TITLE, wraps=True)
        words = label(_words(run), tone=Tone.MUTED, wraps=True)
        buttons = QHBoxLayout()
        buttons.setSpacing(Space.SMALL)
        for made in (self.keep, self.pause, self.stop, self.stay):
            buttons.addWidget(made)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.PAGE, Space.PAGE, Space.PAGE, Space.PAGE)
        column.setSpacing(Space.MEDIUM)
        for widget in (title, words):
            column.addWidget(widget)
        column.addSpacing(Space.HAIR)
        column.addLayout(buttons)
        self.setFixedWidth(_WIDTH)


class CloseGuard(QObject):
    """Decides, with the user, whether the window may close.

    Signals:
        closing_granted: The window may close now.
        waiting_for_stop: The run was told to end; the window closes after it.
    """

    closing_granted = Signal()
    waiting_for_stop = Signal()

    def __init__(
        self, controller: RunController, preferences: Preferences, window: QWidget
    ) -> None:
        super().__init__(window)
        self._controller = controller
        self._preferences = preferences
        self._window = window
        self._closes_after_run = False
        self.dialog: CloseDialog | None = None
        controller.run_ended.connect(self._on_run_ended)

    def may_close(self) -> bool:
        """Whether the window may close now; if not, the user is asked."""
        if not self._controller.is_running:
            return True
        match self._preferences.keep_running:
            case KeepRunning.YES:
                self._controller.close(keep_running=True)
                return True
            case KeepRunning.NO:
                self._end_then_close(self._controller.stop)
            case KeepRunning.ASK:
                self._ask()
        return False

    def _ask(self) -> None:
        run = self._controller.snapshot
        if self.dialog is not None or run is None:
            return
        self.dialog = CloseDialog(run, self._window)
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


def _words(run: RunSnapshot) -> str:
    done = "It has not finished a step yet."
    if run.steps and run.total_steps:
        done = f"Step {run.step:,} of {run.total_steps:,} is done."
    return (
        f"{done} Without the window it can run on and is shown here again later. "
        "Paused, it gives its memory back after this step and goes on from there some "
        "other day; stopped, its adapter is saved."
    )
