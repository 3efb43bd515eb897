"""The card of rows: the table, what is searched for, and the share held back."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from studio.domain.dataset import Chat
from studio.services.data_search import SearchResult, last_line
from studio.ui.fonts import sans
from studio.ui.item_models.chats import ChatTableModel
from studio.ui.pages.data.view_model import Split
from studio.ui.text import count
from studio.ui.tokens import Height, PointSize, Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.inputs import ChoiceBox, SearchField
from studio.ui.widgets.labels import ElidedLabel, Role, label
from studio.ui.widgets.table import PADDING, DataTable

_SEARCH_WIDTH: Final = 160
_SHARE_WIDTH: Final = 136
_LEAST_TABLE: Final = 160
_WIDTHS: Final = {0: 60, 3: 92, 4: 88}


class RowsCard(Card):
    """The rows of a file, or those that were searched for.

    Attributes:
        model, table: The rows.
        search: What is searched for.
        held_out: The share that is only measured with.
        show_all: Ends a filter.

    Signals:
        current_changed: Another row is the current one.
    """

    current_changed = Signal()

    def __init__(self) -> None:
        super().__init__("Rows", flush=True)
        self._is_filling = False
        self.held_out = ChoiceBox(name="Share of rows held back")
        self.held_out.setFixedWidth(_SHARE_WIDTH)
        self.search = SearchField(name="Find in rows", hint="Find in rows")
        self.search.setFixedWidth(_SEARCH_WIDTH)
        self.search.setClearButtonEnabled(True)
        self.add_header_widget(label("Held back", Role.CAPTION, Tone.MUTED))
        self.add_header_widget(self.held_out)
        self.add_header_widget(self.search)
        self.model = ChatTableModel(self)
        self.table = DataTable(self.model, name="Rows", row_height=Height.ROW_DENSE)
        self.table.set_widths(_WIDTHS)
        self.table.stretch_column(1)
        self.table.stretch_column(2)
        policy = QSizePolicy.Policy
        self.table.setSizePolicy(policy.Expanding, policy.Ignored)
        self.table.setMinimumHeight(_LEAST_TABLE)
        self._filter_words = ElidedLabel("", Role.CAPTION, Tone.MUTED)
        self.show_all = button("Show all", ButtonKind.FLAT)
        self._filter = QWidget()
        row = QHBoxLayout(self._filter)
        row.setContentsMargins(Space.LARGE, 0, Space.SMALL, 0)
        row.addWidget(self._filter_words, 1)
        row.addWidget(self.show_all)
        self._filter.hide()
        self.body.setSpacing(0)
        self.body.addWidget(self._filter)
        self.body.addWidget(self.table, 1)
        selection = self.table.selectionModel()
        selection.currentRowChanged.connect(self._on_current_changed)

    def set_chats(self, chats: Sequence[Chat], split: Split) -> None:
        """Show other rows, their numbers in full."""
        self.model.set_chats(chats, split)
        metrics = QFontMetrics(sans(PointSize.BODY))
        wide = metrics.horizontalAdvance(f"{last_line(chats):,}") + 2 * PADDING + 2
        self.table.set_widths({0: max(_WIDTHS[0], wide)})

    def show_found(self, result: SearchResult) -> None:
        """Show what a search found, and what was searched."""
        kept = self.model.place_at(self.table.current_row())
        self.show_places(result.places, _search_words(result), kept)

    def show_places(self, places: Sequence[int], words: str, kept: int = -1) -> None:
        """Show some rows only.

        Args:
            places: Of the rows, among all.
            words: Which they are; empty when they are all.
            kept: The row that stays the current one if it is among them.
        """
        self._is_filling = True
        self.model.show_places(places)
        row = self.model.row_of(kept) if kept >= 0 else -1
        self.table.selectRow(max(0, row))
        self._is_filling = False
        self._filter_words.set_text(words)
        self._filter.setVisible(bool(words))
        self.current_changed.emit()

    def current_place(self) -> int:
        """The place of the current row among all; -1 without one."""
        return self.model.place_at(self.table.current_row())

    def _on_current_changed(self) -> None:
        if not self._is_filling:
            self.current_changed.emit()


def _search_words(result: SearchResult) -> str:
    if not result.text:
        return ""
    found = count(len(result.places), "row") if result.places else "No row"
    verb = "holds" if len(result.places) == 1 or not result.places else "hold"
    said = f"{found} {verb} “{result.text}”"
    if not result.is_over:
        return f"{said}; {result.searched:,} of {result.of:,} searched so far"
    if result.searched < result.of:
        return f"{said}; the first {result.searched:,} of {result.of:,} were searched"
    return said
