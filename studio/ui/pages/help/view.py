"""The Help page's layout."""

from typing import Final

from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.ui.icon_names import IconName
from studio.ui.item_models.cells import CellModel, Column
from studio.ui.pages.help.view_model import HOW_IT_WORKS
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.buttons import button
from studio.ui.widgets.card import Card
from studio.ui.widgets.labels import Role, label
from studio.ui.widgets.page import PageFrame, TwoColumns
from studio.ui.widgets.table import DataTable, MarkDelegate

_SIDE_WIDTH: Final = 448
_KEYS_WIDTH: Final = 150
_LEAST_TABLE: Final = 168
_FACT_WIDTH: Final = 120


class HelpView(PageFrame):
    """How it works, the keyboard, a diagnosis, versions.

    Attributes:
        keys, keys_table: The shortcuts.
        diagnose, copy_report: The diagnosis's buttons.
        diagnosis_words: How far it is.
        checks, checks_table: What was checked.
        findings: Why it could not be made.
        versions: The layout of the versions.
    """

    def __init__(self) -> None:
        super().__init__("Help", "How Snugtune works, and what to do when it doesn’t")
        columns = TwoColumns(side_width=_SIDE_WIDTH)
        columns.left.addWidget(self._make_how())
        columns.left.addWidget(self._make_keys(), 1)
        columns.right.addWidget(self._make_diagnosis(), 1)
        columns.right.addWidget(self._make_versions())
        self.content.addWidget(columns, 1)

    def _make_how(self) -> Card:
        card = Card("How it works")
        card.body.setSpacing(Space.MEDIUM)
        for title, words in HOW_IT_WORKS:
            paragraph = QVBoxLayout()
            paragraph.setSpacing(2)
            paragraph.addWidget(label(title, Role.STRONG))
            paragraph.addWidget(label(words, tone=Tone.MUTED, wraps=True))
            card.body.addLayout(paragraph)
        return card

    def _make_keys(self) -> Card:
        card = Card("Keyboard", flush=True)
        self.keys = CellModel([Column("Deed"), Column("Where"), Column("Keys")], card)
        self.keys_table = _table(self.keys, "Keyboard")
        self.keys_table.set_widths({1: _KEYS_WIDTH, 2: _KEYS_WIDTH})
        card.body.addWidget(self.keys_table)
        return card

    def _make_diagnosis(self) -> Card:
        card = Card("Diagnostics", flush=True)
        self.diagnose = button("Run diagnostics", icon=IconName.PULSE)
        self.copy_report = button("Copy report", icon=IconName.COPY)
        self.diagnosis_words = label("", tone=Tone.MUTED, wraps=True)
        self.findings = QVBoxLayout()
        self.checks = CellModel([Column("Check"), Column("Outcome")], card)
        self.checks_table = _table(self.checks, "Checks", Height.ROW_TWO_LINES)
        self.checks_table.setItemDelegateForColumn(1, MarkDelegate(self.checks_table))
        self.checks_table.set_widths({1: 110})
        upper = QVBoxLayout()
        upper.setContentsMargins(Space.LARGE, 0, Space.LARGE, Space.SMALL)
        upper.setSpacing(Space.SMALL)
        upper.addWidget(self.diagnosis_words)
        upper.addLayout(_row(self.diagnose, self.copy_report))
        upper.addLayout(self.findings)
        card.body.addLayout(upper)
        card.body.addWidget(self.checks_table, 1)
        card.body.addStretch(0)
        return card

    def _make_versions(self) -> Card:
        card = Card("Versions")
        self.versions = QVBoxLayout()
        self.versions.setSpacing(Space.HAIR)
        card.body.addLayout(self.versions)
        return card

    def add_version(self, name: str, number: str) -> None:
        """Add a line to the versions."""
        row = QHBoxLayout()
        caption = label(name, tone=Tone.MUTED)
        caption.setFixedWidth(_FACT_WIDTH)
        row.addWidget(caption)
        row.addWidget(label(number))
        row.addStretch(1)
        self.versions.addLayout(row)


def _table(
    model: CellModel, name: str, row_height: Height = Height.ROW_DENSE
) -> DataTable:
    table = DataTable(model, name=name, row_height=row_height)
    table.stretch_column(0)
    table.setMinimumHeight(_LEAST_TABLE)
    table.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
    return table


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(Space.SMALL)
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch(1)
    return row
