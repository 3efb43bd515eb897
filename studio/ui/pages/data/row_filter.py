"""Which rows of the file the table shows: all, those searched for, a finding's."""

from typing import Final

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.dataset import ChatFile
from studio.services.data_search import SearchResult, places_of
from studio.ui.pages.data.findings import ShownFinding
from studio.ui.pages.data.findings_card import FindingsCard
from studio.ui.pages.data.rows_card import RowsCard
from studio.ui.pages.desk import Desk

_SHOWN: Final = "Shown: "


class RowFilter(QObject):
    """Shows some of the rows, and all of them again.

    Signals:
        search_failed(object): A `Finding`: the file can't be read any more.
    """

    search_failed = Signal(object)

    def __init__(
        self, desk: Desk, rows: RowsCard, findings: FindingsCard, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._desk, self._rows, self._findings = desk, rows, findings
        self._file: ChatFile | None = None
        search = desk.data_tools.search
        search.rows_found.connect(self._on_rows_found)
        search.search_failed.connect(self.search_failed)
        rows.search.textChanged.connect(self._on_search_changed)
        rows.show_all.clicked.connect(self._on_show_all)
        findings.finding_chosen.connect(self._on_finding_chosen)

    def set_file(self, file: ChatFile) -> None:
        """Filter the rows of another file from now on."""
        self._file = file

    @Slot()
    def find(self) -> None:
        """Let the user type what is searched for."""
        self._rows.search.setFocus()
        self._rows.search.selectAll()

    @Slot(str)
    def _on_search_changed(self, text: str) -> None:
        project = self._desk.projects.current
        if self._file is not None and project is not None:
            data = project.recipe.data
            self._desk.data_tools.search.search(self._file, data, text)

    @Slot(object)
    def _on_rows_found(self, result: SearchResult) -> None:
        self._findings.forget_choice()
        self._rows.show_found(result)

    @Slot()
    def _on_show_all(self) -> None:
        if self._rows.search.text():
            self._rows.search.clear()
        elif self._file is not None:
            self._findings.forget_choice()
            kept = self._rows.current_place()
            self._rows.show_places(range(len(self._file.chats)), "", kept)

    @Slot(object)
    def _on_finding_chosen(self, shown: ShownFinding) -> None:
        if self._file is None or not shown.rows:
            return
        places = places_of(self._file.chats, shown.rows)
        if places:
            self._rows.show_places(places, f"{_SHOWN}{shown.text.what}")
