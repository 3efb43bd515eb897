"""The dialog that fetches a data set of the hub and makes it the project's data."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.errors import StudioError
from studio.domain.finding import Finding, Severity
from studio.domain.hub_names import HubName
from studio.protocol.data_events import DataFetched
from studio.protocol.events import EngineEvent, Progress
from studio.services.engine_task import EngineTask
from studio.services.launch import FETCH_DATA
from studio.ui.pages.desk import Desk
from studio.ui.pages.export.engine_job import EngineJob, TaskFor
from studio.ui.pages.finding_text import clear, show_findings
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.inputs import TextField
from studio.ui.widgets.labels import Role, label

_WIDTH: Final = 520
_WHOLE: Final = 1000
_WORDS: Final = (
    "It is downloaded once, as a file on this machine. A gated or private one needs a "
    "sign-in by hf auth login."
)
_FETCHING: Final = "Asking the hub"


class HubDialog(QDialog):
    """Which data set, and how far its fetching is; Escape ends it.

    Attributes:
        name, config, split: What is asked for.
        fetch: Begins.
        back: Ends what is under way, and leaves.
        findings: Why nothing came.
    """

    def __init__(
        self,
        desk: Desk,
        use: Callable[[str], object],
        parent: QWidget,
        task_for: TaskFor = EngineTask,
    ) -> None:
        """Make the dialog; `open` shows it.

        Args:
            desk: Of the window.
            use: Is told the file that was fetched.
            parent: The page that asks.
            task_for: Makes the engine's task.
        """
        super().__init__(parent)
        self._log_path = desk.folders.cache / "fetch-log.txt"
        self._use = use
        self._is_left = False
        self._job = EngineJob(task_for, self)
        self._job.event_arrived.connect(self._on_event_arrived)
        self._job.task_done.connect(self._on_task_done)
        self._job.task_failed.connect(self._on_task_failed)
        self.setWindowTitle("From the Hugging Face hub")
        self.setModal(True)
        self.setFixedWidth(_WIDTH)
        self._make()
        for field in (self.name, self.config, self.split):
            field.textChanged.connect(self._on_text_changed)
            field.returnPressed.connect(self._on_fetch)
        self.fetch.clicked.connect(self._on_fetch)
        self.back.clicked.connect(self.reject)
        self._allow()
        self.name.setFocus()

    @override
    def reject(self) -> None:
        """Leave; a fetching under way is ended first, and keeps nothing."""
        if self._job.is_running:
            self._is_left = True
            self.back.setEnabled(False)
            self._way.setText("Stopping")
            self._job.cancel()
        else:
            super().reject()
            self.deleteLater()

    def _make(self) -> None:
        self.name = TextField(name="Data set", hint="owner/name")
        self.config = TextField(name="Configuration", hint="if it has several")
        self.split = TextField(name="Split", hint="train, if there is one")
        self.fetch = button("Fetch", ButtonKind.PRIMARY)
        self.back = button("Cancel")
        self._way = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Fetching")
        self._bar.hide()
        self.findings = QVBoxLayout()
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.PAGE, Space.PAGE, Space.PAGE, Space.PAGE)
        column.setSpacing(Space.SMALL)
        column.addWidget(label("A data set of the hub", Role.CARD_TITLE))
        column.addWidget(label(_WORDS, tone=Tone.MUTED, wraps=True))
        for field in (self.name, self.config, self.split):
            title = label(field.accessibleName(), Role.CAPTION, Tone.MUTED)
            title.setBuddy(field)
            column.addWidget(title)
            column.addWidget(field)
        column.addWidget(self._bar)
        column.addWidget(self._way)
        column.addLayout(self.findings)
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        row.addWidget(self.fetch)
        row.addWidget(self.back)
        row.addStretch(1)
        column.addLayout(row)

    def _asked(self) -> HubName:
        """What the fields name.

        Raises:
            StudioError: That is no data set.
        """
        name = HubName.of(self.name.text())
        config, split = self.config.text().strip(), self.split.text().strip()
        named = replace(name, config=config or name.config, split=split or name.split)
        return HubName.of(named.word())

    def _allow(self) -> None:
        is_running = self._job.is_running
        self.fetch.setEnabled(bool(self.name.text().strip()) and not is_running)
        for field in (self.name, self.config, self.split):
            field.setReadOnly(is_running)
        self._bar.setVisible(is_running)

    def _show_way(self, words: str, done: float = 0.0, total: float = 0.0) -> None:
        self._way.setText(words)
        self._bar.setRange(0, _WHOLE if total else 0)
        self._bar.setValue(round(min(1.0, done / total) * _WHOLE) if total else 0)
        self._bar.setAccessibleDescription(words)

    @Slot()
    def _on_text_changed(self) -> None:
        self._allow()

    @Slot()
    def _on_fetch(self) -> None:
        if not self.fetch.isEnabled():
            return
        clear(self.findings)
        try:
            word = self._asked().word()
        except StudioError as refused:
            show_findings(self.findings, [refused.finding])
            return
        self._log_path.parent.mkdir(parents=True, exist_ok=True)
        self._show_way(_FETCHING)
        self._job.begin(FETCH_DATA, word, log_path=self._log_path)
        self._allow()

    @Slot(object)
    def _on_event_arrived(self, event: EngineEvent) -> None:
        if isinstance(event, Progress) and not self._is_left:
            of = f" of {event.total:,.0f}" if event.total else ""
            words = f"{event.stage}: {event.done:,.0f}{of}"
            self._show_way(words, event.done, event.total)

    @Slot(object)
    def _on_task_done(self, told: DataFetched) -> None:
        self.accept()
        if not self._is_left:
            self._use(told.path)
        self.deleteLater()

    @Slot(object)
    def _on_task_failed(self, finding: Finding) -> None:
        if self._is_left:
            self.reject()
            return
        self._show_way("")
        if finding.severity is not Severity.INFO:
            show_findings(self.findings, [finding])
        self._allow()
        self.adjustSize()


def ask_for_hub_data(
    desk: Desk, page: QWidget, use: Callable[[str], object]
) -> HubDialog:
    """Ask for a data set of the hub; `use` is told the file that comes of it."""
    dialog = HubDialog(desk, use, page)
    dialog.open()
    return dialog
