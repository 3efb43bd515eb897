"""The Hardware page's layout."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from studio.ui.charts.history_chart import Area, HistoryChart
from studio.ui.icon_names import IconName
from studio.ui.item_models.cells import CellModel, Column
from studio.ui.keys import Deed, key_of
from studio.ui.pages.scroll_column import ScrollColumn
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.buttons import button
from studio.ui.widgets.card import Card
from studio.ui.widgets.fit_mark import FitMark
from studio.ui.widgets.inputs import ChoiceBox
from studio.ui.widgets.labels import ElidedLabel, Role, label, line
from studio.ui.widgets.memory_bar import MemoryBar
from studio.ui.widgets.page import PageFrame, TwoColumns
from studio.ui.widgets.table import AsideDelegate, DataTable, MemoryBarDelegate

_SIDE_WIDTH = 360
_SHARE_COLUMN = 3
_PROGRAM_WIDTHS = {0: 152, 1: 140, 2: 66, 4: 214}
_TABLE_HEIGHT = 184
_HISTORIES_HEIGHT = 152
_NAME_WIDTH = 96
_MEMORY_AREAS = (
    Area("other programs", lambda tokens: tokens.mem_other),
    Area("this run", lambda tokens: tokens.mem_activations),
    Area("free", lambda tokens: tokens.mem_free),
)
FIRST_WORDS = "Not measured yet"


class HealthLine(QWidget):
    """One fact: its name, its value, and a mark or the reason at the right.

    Attributes:
        name, value: The texts.
        mark: What the value means; hidden without one.
        reason: Why there is no value.
    """

    def __init__(self, *, divided: bool) -> None:
        super().__init__()
        self.setFixedHeight(Height.ROW)
        self.name = label("", tone=Tone.MUTED)
        self.name.setFixedWidth(_NAME_WIDTH)
        self.value = label("", Role.STRONG)
        self.mark = FitMark()
        self.reason = ElidedLabel("", Role.CAPTION, Tone.MUTED)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        if divided:
            column.addWidget(line())
        row = QHBoxLayout()
        row.setContentsMargins(Space.LARGE, 0, Space.LARGE, 0)
        row.setSpacing(Space.SMALL)
        row.addWidget(self.name)
        row.addWidget(self.value)
        row.addWidget(self.reason, 1)
        row.addStretch(0)
        # Aligned, or the mark's own height would push the dividing line down.
        row.addWidget(self.mark, 0, Qt.AlignmentFlag.AlignVCenter)
        column.addLayout(row, 1)


class History(QWidget):
    """A chart with its name and the newest value above it.

    Attributes:
        name: What is shown.
        value: The newest reading.
        chart: The line.
        missing: Why there is no line; hidden when there is one.
    """

    def __init__(
        self, name: str, *, high: float = 1.0, areas: Sequence[Area] = ()
    ) -> None:
        super().__init__()
        self.name = label(name, Role.CAPTION, Tone.MUTED)
        self.value = label("", Role.CAPTION_ANSWER)
        self.chart = HistoryChart(name, 0, high, areas=areas)
        # A plot would like to be 480 px high and make the page scroll.
        self.chart.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored
        )
        self.missing = label("", tone=Tone.MUTED, wraps=True)
        self.missing.hide()
        heads = QHBoxLayout()
        heads.addWidget(self.name)
        heads.addStretch(1)
        heads.addWidget(self.value)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.HAIR)
        column.addLayout(heads)
        column.addWidget(self.chart, 1)
        column.addWidget(self.missing, 1)


class HardwareView(PageFrame):
    """How much is free, who holds the rest, health, and five minutes of history.

    Attributes:
        card_choice: Which of several cards is shown.
        look_again, copy_report: The header's buttons.
        answer, beside, mark, memory: The first card.
        findings: Why there is no card, between the first card and the rest.
        programs, programs_table, programs_missing, holders: Who holds memory.
        health: The health lines.
        memory_history, load_history, temperature_history, power_history: The charts.
    """

    def __init__(self) -> None:
        super().__init__("Hardware", FIRST_WORDS)
        self.look_again = button("Look again", icon=IconName.REFRESH)
        self.look_again.setToolTip(key_of(Deed.MEASURE))
        self.copy_report = button("Copy report", icon=IconName.COPY)
        self.card_choice = ChoiceBox(name="Card")
        self.card_choice.hide()
        self.header.add_action_widget(self.card_choice)
        self.header.add_action_widget(self.look_again)
        self.header.add_action_widget(self.copy_report)
        self.findings = QVBoxLayout()
        self.content.addWidget(self._make_answer())
        self.content.addLayout(self.findings)
        columns = TwoColumns(side_width=_SIDE_WIDTH)
        columns.left.addWidget(self._make_programs())
        columns.right.addWidget(self._make_health())
        self.content.addWidget(columns, 2)
        self.content.addWidget(self._make_histories(), 1)

    def _make_answer(self) -> Card:
        card = Card()
        self.answer: QLabel = label(FIRST_WORDS, Role.NUMBER)
        self.beside = label("", tone=Tone.MUTED)
        self.mark = FitMark()
        self.mark.hide()
        row = QHBoxLayout()
        row.setSpacing(Space.MEDIUM)
        row.addWidget(self.answer)
        row.addWidget(self.beside)
        row.addStretch(1)
        row.addWidget(self.mark)
        self.memory = MemoryBar(shows_prediction=False)
        card.body.addLayout(row)
        card.body.addWidget(self.memory)
        return card

    def _make_programs(self) -> Card:
        self.holders = Card("Who holds memory", " ", flush=True)
        self.programs = CellModel(
            [
                Column("Program"),
                Column("What it is"),
                Column("MiB", at_right=True),
                Column(""),
                Column("Advice"),
            ],
            self.holders,
        )
        self.programs_table = DataTable(self.programs, name="Who holds memory")
        bars = MemoryBarDelegate(self.programs_table)
        self.programs_table.setItemDelegateForColumn(_SHARE_COLUMN, bars)
        names = AsideDelegate(self.programs_table)
        self.programs_table.setItemDelegateForColumn(0, names)
        self.programs_table.set_widths(_PROGRAM_WIDTHS)
        self.programs_table.stretch_column(_SHARE_COLUMN)
        self.programs_table.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored
        )
        self.programs_missing = label("", tone=Tone.MUTED, wraps=True)
        self.programs_missing.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.programs_missing.setContentsMargins(Space.LARGE, 0, Space.LARGE, 0)
        self.holders.body.addWidget(self.programs_table)
        self.holders.body.addWidget(self.programs_missing)
        self.holders.setMinimumHeight(_TABLE_HEIGHT)
        return self.holders

    def _make_health(self) -> Card:
        card = Card("Health", divided=True, flush=True)
        card.body.setSpacing(0)
        self.health = ScrollColumn("Health")
        card.body.addWidget(self.health, 1)
        return card

    def _make_histories(self) -> Card:
        card = Card()
        card.setMinimumHeight(_HISTORIES_HEIGHT)
        self.memory_history = History("Memory, GiB", areas=_MEMORY_AREAS)
        self.load_history = History("Load, %", high=100)
        self.temperature_history = History("Temperature, °C")
        self.power_history = History("Power, W")
        row = QHBoxLayout()
        row.setSpacing(Space.PAGE)
        for history in self.histories():
            row.addWidget(history, 1)
        card.body.addLayout(row)
        return card

    def histories(self) -> tuple[History, ...]:
        """The charts, from left to right."""
        return (
            self.memory_history,
            self.load_history,
            self.temperature_history,
            self.power_history,
        )

    def add_health_line(self) -> HealthLine:
        """Add a line below the others, divided from them."""
        made = HealthLine(divided=bool(self.health.rows()))
        self.health.add_row(made)
        return made
