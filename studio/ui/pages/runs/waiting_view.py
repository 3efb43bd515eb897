"""The card of the runs that wait."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from studio.ui.icon_names import IconName
from studio.ui.item_models.cells import Cell, CellModel, Column
from studio.ui.keys import Deed, key_of
from studio.ui.pages.runs.waiting_model import NONE_WAIT, START, WaitingRow
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.labels import Role, label, line
from studio.ui.widgets.table import DataTable, MarkDelegate

COLUMNS: Final = (
    Column("Waiting run"),
    Column("Project"),
    Column("Model"),
    Column("Starts"),
)
STARTS: Final = 3
_WIDTHS: Final = {1: 176, 2: 176, STARTS: 168}


class WaitingCard(Card):
    """The list, what the queue does, and what can be done with the chosen runs.

    Attributes:
        drive: Starts the queue, or holds it.
        empty, to_recipe: Shown while none waits.
        filled: The list and its deeds.
        rows, table: The list.
        earlier, later, start_at, remove: For the chosen runs.
        trouble: Why the chosen one wasn't started.
        findings: Why the queue can't be read or changed.
    """

    def __init__(self) -> None:
        super().__init__("Waiting", " ", divided=True, flush=True)
        self.drive = button(START, icon=IconName.PLAY)
        self.add_header_widget(self.drive)
        self.findings = QVBoxLayout()
        self.findings.setSpacing(Space.SMALL)
        self.body.setSpacing(0)
        self.body.addLayout(self.findings)
        self.body.addWidget(self._make_empty())
        self.body.addWidget(self._make_filled())

    def show_rows(self, rows: Sequence[WaitingRow], at_most: int) -> None:
        """Show the runs, so many of them without scrolling."""
        self.rows.set_rows([(row.key, _cells(row)) for row in rows])
        shown = min(len(rows), at_most)
        height = Height.TABLE_HEADER + shown * Height.ROW
        self.table.setFixedHeight(height)
        self.empty.setVisible(not rows)
        self.filled.setVisible(bool(rows))

    def _make_empty(self) -> QWidget:
        self.empty = QWidget()
        self.to_recipe = button("Go to the recipe")
        row = QHBoxLayout(self.empty)
        row.setContentsMargins(Space.LARGE, Space.MEDIUM, Space.LARGE, Space.MEDIUM)
        row.setSpacing(Space.MEDIUM)
        words = label(NONE_WAIT, tone=Tone.MUTED, wraps=True)
        # A label that wraps would stand in the middle of what is wider than itself.
        words.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        row.addWidget(words, 1)
        row.addStretch(0)
        row.addWidget(self.to_recipe)
        return self.empty

    def _make_filled(self) -> QWidget:
        self.filled = QWidget()
        self.rows = CellModel(COLUMNS, self)
        self.table = DataTable(self.rows, name="Runs that wait, the next one first")
        several = QAbstractItemView.SelectionMode.ExtendedSelection
        self.table.setSelectionMode(several)
        self.table.setItemDelegateForColumn(STARTS, MarkDelegate(self.table))
        self.table.set_widths(_WIDTHS)
        self.table.stretch_column(0)
        self.trouble = label("", Role.CAPTION, Tone.WARNING, wraps=True)
        self.trouble.setContentsMargins(Space.LARGE, Space.SMALL, Space.LARGE, 0)
        column = QVBoxLayout(self.filled)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.table)
        column.addWidget(line())
        column.addWidget(self.trouble)
        column.addLayout(self._make_deeds())
        return self.filled

    def _make_deeds(self) -> QHBoxLayout:
        self.earlier = button("Earlier", icon=IconName.CHEVRON_UP)
        self.earlier.setToolTip(key_of(Deed.EARLIER_START))
        self.later = button("Later", icon=IconName.CHEVRON_DOWN)
        self.later.setToolTip(key_of(Deed.LATER_START))
        self.start_at = button("Start at…", icon=IconName.CLOCK)
        self.start_at.setToolTip(key_of(Deed.START_TIME))
        self.remove = button("Take off the queue…", ButtonKind.DANGER)
        self.remove.setToolTip(key_of(Deed.DELETE_RUN))
        row = QHBoxLayout()
        row.setContentsMargins(Space.LARGE, Space.SMALL, Space.LARGE, Space.SMALL)
        row.setSpacing(Space.SMALL)
        for deed in (self.earlier, self.later, self.start_at):
            row.addWidget(deed)
        row.addStretch(1)
        row.addWidget(self.remove)
        return row


def _cells(row: WaitingRow) -> list[Cell]:
    return [
        Cell(row.title, hint=row.title),
        Cell(row.project),
        Cell(row.model),
        Cell(row.starts.words, painted=row.starts, hint=row.trouble),
    ]
