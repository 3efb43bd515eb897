"""The dialog that fetches a data set of the hub and makes it the project's data."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QWidget
from typing_extensions import override

from studio.domain.errors import StudioError
from studio.domain.hub_names import HubName
from studio.protocol.data_events import DataFetched
from studio.protocol.events import EngineEvent, Progress
from studio.services.engine_task import EngineTask
from studio.services.launch import FETCH_DATA
from studio.ui.pages.desk import Desk
from studio.ui.pages.engine_job import TaskFor
from studio.ui.pages.finding_text import clear
from studio.ui.pages.task_dialog import TaskDialog, title_of
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.inputs import TextField

_WORDS: Final = (
    "It is downloaded once, as a file on this machine. A gated or private one needs a "
    "sign-in by hf auth login."
)
_FETCHING: Final = "Asking the hub"


class HubDialog(TaskDialog):
    """Which data set, and how far its fetching is; Escape ends it.

    Attributes:
        name, config, split: What is asked for.
        fetch: Begins.
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
        log_path = desk.folders.cache / "fetch-log.txt"
        super().__init__("From the Hugging Face hub", log_path, task_for, parent)
        self._use = use
        self._make()
        for field in (self.name, self.config, self.split):
            field.textChanged.connect(self._on_text_changed)
            field.returnPressed.connect(self._on_fetch)
        self.fetch.clicked.connect(self._on_fetch)
        self.refresh()
        self.name.setFocus()

    def _make(self) -> None:
        self.name = TextField(name="Data set", hint="owner/name")
        self.config = TextField(name="Configuration", hint="if it has several")
        self.split = TextField(name="Split", hint="train, if there is one")
        self.fetch = button("Fetch", ButtonKind.PRIMARY)
        column = self.column_of("A data set of the hub", _WORDS)
        for field in (self.name, self.config, self.split):
            column.addWidget(title_of(field))
            column.addWidget(field)
        self.end_column(column, self.fetch)

    def _asked(self) -> HubName:
        """What the fields name.

        Raises:
            StudioError: That is no data set.
        """
        name = HubName.of(self.name.text())
        config, split = self.config.text().strip(), self.split.text().strip()
        named = replace(name, config=config or name.config, split=split or name.split)
        return HubName.of(named.word())

    @override
    def refresh(self) -> None:
        """Allow what can be done now."""
        is_named = bool(self.name.text().strip())
        self.fetch.setEnabled(is_named and not self.is_running)
        for field in (self.name, self.config, self.split):
            field.setReadOnly(self.is_running)
        self.adjustSize()

    @override
    def hear(self, event: EngineEvent) -> None:
        """Say how far it is."""
        if isinstance(event, Progress):
            of = f" of {event.total:,.0f}" if event.total else ""
            words = f"{event.stage}: {event.done:,.0f}{of}"
            self.course.say(words, event.done, event.total)

    @override
    def finish(self, result: EngineEvent) -> None:
        """Use what was fetched, unless the user has left meanwhile."""
        assert isinstance(result, DataFetched)
        self.accept()
        if not self._is_left:
            self._use(result.path)
        self.deleteLater()

    @Slot()
    def _on_text_changed(self) -> None:
        self.refresh()

    @Slot()
    def _on_fetch(self) -> None:
        if not self.fetch.isEnabled():
            return
        clear(self.findings)
        try:
            word = self._asked().word()
        except StudioError as refused:
            self.show_finding(refused.finding)
            return
        self.begin(_FETCHING, FETCH_DATA, word)


def ask_for_hub_data(
    desk: Desk, page: QWidget, use: Callable[[str], object]
) -> HubDialog:
    """Ask for a data set of the hub; `use` is told the file that comes of it."""
    dialog = HubDialog(desk, use, page)
    dialog.open()
    return dialog
