"""The Model page's layout."""

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.ui.icon_names import IconName
from studio.ui.item_models.cells import CellModel, Column
from studio.ui.keys import Deed, key_of
from studio.ui.pages.model.filters import LICENCES, SIZES
from studio.ui.pages.model.view_model import LONGEST_TEXT, Part, TextRow
from studio.ui.pages.swatch import Swatch
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button, chip
from studio.ui.widgets.card import Card
from studio.ui.widgets.fit_mark import FitMark
from studio.ui.widgets.inputs import ChoiceBox, SearchField
from studio.ui.widgets.labels import ElidedLabel, Role, label, line
from studio.ui.widgets.memory_bar import MemoryBar
from studio.ui.widgets.memory_bar_layout import BarHeight
from studio.ui.widgets.page import PageFrame, TwoColumns
from studio.ui.widgets.table import DataTable, MarkDelegate, MemoryBarDelegate

_SIDE_WIDTH: Final = 360
_SEARCH_WIDTH: Final = 136
_BAR_COLUMN: Final = 2
_MARK_COLUMN: Final = 4
_FACT_WIDTH: Final = 104
_ROW: Final = 24
_FIGURE_WIDTH: Final = 56
_TEXT_MARK_WIDTH: Final = 128
_LEAST_TABLE: Final = 304


class PartLine(QWidget):
    """A part of the peak: its swatch, name, what decides it, and its GiB."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.setFixedHeight(_ROW)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Space.SMALL)
        row.addWidget(Swatch(part.segment))
        row.addWidget(label(part.name))
        note = label(part.note, Role.CAPTION, Tone.MUTED)
        row.addStretch(1)
        row.addWidget(note)
        row.addSpacing(Space.SMALL)
        row.addWidget(label(part.figure, Role.ANSWER))


class TextLine(QWidget):
    """A length of text: its tokens, its peak in GiB, and whether that fits."""

    def __init__(self, text: TextRow) -> None:
        super().__init__()
        self.setFixedHeight(_ROW)
        figure = label(text.figure, Role.ANSWER)
        figure.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        figure.setFixedWidth(_FIGURE_WIDTH)
        mark = FitMark()
        mark.set_mark(text.mark, text.tokens)
        mark.setFixedWidth(_TEXT_MARK_WIDTH)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Space.LARGE)
        row.addWidget(label(text.tokens), 1)
        row.addWidget(figure)
        row.addWidget(mark)


class FactLine(QWidget):
    """A fact about the model: its name and its value."""

    def __init__(self, name: str, value: str) -> None:
        super().__init__()
        self.setFixedHeight(_ROW)
        caption = label(name, tone=Tone.MUTED)
        caption.setFixedWidth(_FACT_WIDTH)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Space.SMALL)
        row.addWidget(caption)
        row.addWidget(ElidedLabel(value), 1)


class Details(Card):
    """All about the selected model.

    Attributes:
        title, mark, description, bar: What it is and whether it fits.
        parts: The layout of the peak's parts.
        peak_row, peak, peak_range: The peak in figures.
        why_not_priced: The sentence in its place.
        texts_title, texts: How long one row may be, above and line by line.
        facts: The layout of its facts.
        preparation: What happens before the first run.
        open_folder: Shows where its files lie.
    """

    def __init__(self) -> None:
        super().__init__()
        self.title = ElidedLabel("", Role.CARD_TITLE)
        self.mark = FitMark()
        self.description = label("", tone=Tone.MUTED, wraps=True)
        self.bar = MemoryBar(BarHeight.DETAILS)
        self.parts = QVBoxLayout()
        self.parts.setSpacing(0)
        self.peak_row = self._make_peak()
        self.why_not_priced = label("", tone=Tone.MUTED, wraps=True)
        self.texts_title = label(LONGEST_TEXT, Role.ANSWER)
        self.texts = QVBoxLayout()
        self.texts.setSpacing(0)
        self.facts = QVBoxLayout()
        self.facts.setSpacing(0)
        self.preparation = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self.preparation.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
        )
        self.open_folder = button("Open folder", icon=IconName.FOLDER)
        heads = QHBoxLayout()
        heads.addWidget(self.title, 1)
        heads.addWidget(self.mark)
        body = self.body
        body.addLayout(heads)
        body.addWidget(self.description)
        body.addWidget(self.bar)
        body.addLayout(self.parts)
        body.addWidget(self.peak_row)
        body.addWidget(self.why_not_priced)
        body.addSpacing(Space.SMALL)
        body.addWidget(self.texts_title)
        body.addLayout(self.texts)
        body.addSpacing(Space.SMALL)
        body.addWidget(label("About", Role.ANSWER))
        body.addLayout(self.facts)
        body.addWidget(self.preparation)
        body.addStretch(1)
        body.addWidget(self.open_folder)

    def _make_peak(self) -> QWidget:
        holder = QWidget()
        self.peak_range = label("", Role.CAPTION, Tone.MUTED)
        self.peak = label("", Role.ANSWER)
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        row.addWidget(label("Peak of the run", Role.ANSWER))
        row.addWidget(self.peak_range)
        row.addStretch(1)
        row.addWidget(self.peak)
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(line())
        column.addLayout(row)
        return holder


class ModelView(PageFrame):
    """The list of models, and all about the selected one.

    Attributes:
        from_folder, use: The header's buttons.
        findings: Why a folder is no model.
        search, only_fitting, only_here, sizes, licences: Filter the list.
        models, models_table, nothing, clear_filters: The list, or that nothing matches.
        details: All about the selected model.
    """

    def __init__(self) -> None:
        super().__init__("Model", "Looking for models")
        self.from_folder = button("From a folder…", icon=IconName.FOLDER)
        self.use = button("Use", ButtonKind.PRIMARY)
        self.header.add_action_widget(self.from_folder)
        self.header.add_action_widget(self.use)
        columns = TwoColumns(side_width=_SIDE_WIDTH)
        self.findings = QVBoxLayout()
        columns.left.addLayout(self.findings)
        columns.left.addLayout(self._make_filters())
        columns.left.addWidget(self._make_list(), 1)
        self.details = Details()
        columns.right.addWidget(self.details, 1)
        self.content.addWidget(columns, 1)

    def _make_filters(self) -> QHBoxLayout:
        self.search = SearchField(name="Find a model", hint="Find a model")
        self.search.setMinimumWidth(_SEARCH_WIDTH)
        self.search.setClearButtonEnabled(True)
        self.only_fitting = chip("Fits here")
        self.only_fitting.setToolTip(key_of(Deed.ONLY_FITTING))
        self.only_here = chip("On this disk")
        self.sizes = ChoiceBox(SIZES, name="Size")
        self.licences = ChoiceBox(LICENCES, name="Licence")
        self.licences.setToolTip(
            "“No consent” leaves out what the hub gives only to accounts that agreed."
        )
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        row.addWidget(self.search, 1)
        for field in (self.only_fitting, self.only_here, self.sizes, self.licences):
            row.addWidget(field)
        return row

    def _make_list(self) -> Card:
        card = Card(flush=True)
        self.models = CellModel(
            [
                Column("Model"),
                Column("Weights", at_right=True),
                Column("At peak"),
                Column("GiB", at_right=True),
                Column("Fits"),
            ],
            card,
        )
        self.models_table = DataTable(
            self.models, name="Models", row_height=Height.ROW_TWO_LINES
        )
        self.bars = MemoryBarDelegate(self.models_table)
        marks = MarkDelegate(self.models_table)
        self.models_table.setItemDelegateForColumn(_BAR_COLUMN, self.bars)
        self.models_table.setItemDelegateForColumn(_MARK_COLUMN, marks)
        self.models_table.set_widths({1: 72, 2: 98, 3: 126, 4: 138})
        self.models_table.stretch_column(0)
        self.models_table.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored
        )
        self.models_table.setMinimumHeight(_LEAST_TABLE)
        self.nothing = QWidget()
        empty = QVBoxLayout(self.nothing)
        empty.setContentsMargins(Space.LARGE, Space.LARGE, Space.LARGE, Space.LARGE)
        empty.addWidget(label("No model matches.", tone=Tone.MUTED))
        self.clear_filters = button("Clear filters")
        row = QHBoxLayout()
        row.addWidget(self.clear_filters)
        row.addStretch(1)
        empty.addLayout(row)
        empty.addStretch(1)
        self.nothing.hide()
        card.body.addWidget(self.models_table, 1)
        card.body.addWidget(self.nothing, 1)
        return card
