"""A dialog that has the engine do one thing, and ends it before it closes itself."""

from pathlib import Path
from typing import Final

from PySide6.QtCore import Slot
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from studio.domain.finding import Finding, Severity
from studio.protocol.events import EngineEvent
from studio.ui.pages.engine_job import EngineJob, TaskFor
from studio.ui.pages.finding_text import clear, show_findings
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import button
from studio.ui.widgets.labels import Role, label

TASK_DIALOG_WIDTH: Final = 520
_WHOLE: Final = 1000


class TaskCourse(QWidget):
    """How far a task is: a bar while it runs, and words."""

    def __init__(self, name: str) -> None:
        """Show nothing yet.

        Args:
            name: Of the bar, for screen readers.
        """
        super().__init__()
        self._words = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(name)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.SMALL)
        column.addWidget(self.bar)
        column.addWidget(self._words)
        self.say("")
        self.show_bar(is_running=False)

    def say(self, words: str, done: float = 0.0, total: float = 0.0) -> None:
        """Say how far it is; without a total that is unknown."""
        self._words.setText(words)
        self._words.setVisible(bool(words))
        self.bar.setRange(0, _WHOLE if total else 0)
        self.bar.setValue(round(min(1.0, done / total) * _WHOLE) if total else 0)
        self.bar.setAccessibleDescription(words)
        self._stand()

    def show_bar(self, *, is_running: bool) -> None:
        """Show the bar while something is done."""
        self.bar.setVisible(is_running)
        self._stand()

    def words(self) -> str:
        """What was said last."""
        return self._words.text()

    def _stand(self) -> None:
        """Take no room while there is nothing to see."""
        self.setVisible(not self.bar.isHidden() or not self._words.isHidden())


class TaskDialog(QDialog):
    """The life of such a dialog; who derives from it says what is asked and shown.

    Escape ends what is under way first, and leaves when it has ended.

    Attributes:
        course: How far it is.
        back: Ends what is under way, and leaves.
        findings: Why nothing came.
    """

    def __init__(
        self, title: str, log_path: Path, task_for: TaskFor, parent: QWidget
    ) -> None:
        """Make the parts that all of them have; `open` shows it.

        Args:
            title: Of the window.
            log_path: Where the engine's libraries print to.
            task_for: Makes the engine's task.
            parent: The page that asks.
        """
        super().__init__(parent)
        self._log_path = log_path
        self._is_left = False
        self.course = TaskCourse(title)
        self.back = button("Cancel")
        self.back.clicked.connect(self.reject)
        self.findings = QVBoxLayout()
        self._job = EngineJob(task_for, self)
        self._job.event_arrived.connect(self._on_event_arrived)
        self._job.task_done.connect(self._on_task_done)
        self._job.task_failed.connect(self._on_task_failed)
        self.setWindowTitle(title)
        self.setModal(True)
        self.setFixedWidth(TASK_DIALOG_WIDTH)

    @property
    def is_running(self) -> bool:
        """Whether the engine is at work for it."""
        return self._job.is_running

    def refresh(self) -> None:
        """Show what can be done now; something began or ended."""

    def hear(self, event: EngineEvent) -> None:
        """Take what the engine says meanwhile."""

    def finish(self, result: EngineEvent) -> None:
        """Take what came of it."""

    @override
    def reject(self) -> None:
        """Leave; what is under way is ended first, and keeps nothing."""
        if self.is_running:
            self._is_left = True
            self.back.setEnabled(False)
            self.course.say("Stopping")
            self._job.cancel()
        else:
            super().reject()
            self.deleteLater()

    def begin(self, words: str, verb: str, *arguments: str) -> None:
        """Have the engine carry out a verb.

        Args:
            words: What is said until it says more.
            verb: Of the engine.
            arguments: Of the verb.
        """
        clear(self.findings)
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self.course.say(words)
        self._job.begin(verb, *arguments, log_path=self._log_path)
        self._show_course()

    def show_finding(self, finding: Finding) -> None:
        """Say why nothing came; what was only told needs no card."""
        if finding.severity is not Severity.INFO:
            show_findings(self.findings, [finding])

    def column_of(self, title: str, words: str) -> QVBoxLayout:
        """The column that everything stands in, begun with what it is about."""
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.PAGE, Space.PAGE, Space.PAGE, Space.PAGE)
        column.setSpacing(Space.SMALL)
        column.addWidget(label(title, Role.CARD_TITLE))
        column.addWidget(label(words, tone=Tone.MUTED, wraps=True))
        return column

    def end_column(self, column: QVBoxLayout, *buttons: QPushButton) -> None:
        """End it with how far it is, why nothing came, and the buttons."""
        column.addWidget(self.course)
        column.addLayout(self.findings)
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        for each in (*buttons, self.back):
            row.addWidget(each)
        row.addStretch(1)
        column.addLayout(row)

    def _show_course(self) -> None:
        self.course.show_bar(is_running=self.is_running)
        self.refresh()

    @Slot(object)
    def _on_event_arrived(self, event: EngineEvent) -> None:
        if not self._is_left:
            self.hear(event)

    @Slot(object)
    def _on_task_done(self, result: EngineEvent) -> None:
        self._show_course()
        self.finish(result)

    @Slot(object)
    def _on_task_failed(self, finding: Finding) -> None:
        if self._is_left:
            self.reject()
            return
        self.course.say("")
        self.show_finding(finding)
        self._show_course()


def title_of(field: QWidget) -> QLabel:
    """A field's title, which leads to it."""
    title = label(field.accessibleName(), Role.CAPTION, Tone.MUTED)
    title.setBuddy(field)
    return title
