"""The Data page's layout."""

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from studio.ui.icon_names import IconName
from studio.ui.item_models.chats import ChatTableModel
from studio.ui.pages.data.chat_text import ChatText
from studio.ui.pages.data.view_model import SAMPLE_ROWS, chat_title
from studio.ui.pages.drop_zone import DropZone
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button, icon_button
from studio.ui.widgets.card import Card
from studio.ui.widgets.empty_state import EmptyState
from studio.ui.widgets.icon_label import IconLabel
from studio.ui.widgets.inputs import ChoiceBox, SearchField
from studio.ui.widgets.labels import ElidedLabel, Role, label, line
from studio.ui.widgets.page import PageFrame, TwoColumns
from studio.ui.widgets.table import DataTable

_SIDE_WIDTH: Final = 448
_SEARCH_WIDTH: Final = 200
_STRIP_HEIGHT: Final = 56
_FIGURES: Final = 4
_SAMPLES_HEIGHT: Final = 96
_FINDINGS_HEIGHT: Final = 160
_LEAST_TEXT: Final = 120


class FactsStrip(Card):
    """The file, and what becomes of its rows.

    Attributes:
        name, form: The file.
        figures: Value and caption labels, left to right.
        read_again, replace: What can be done with it.
    """

    def __init__(self) -> None:
        super().__init__(flush=True)
        self.setFixedHeight(_STRIP_HEIGHT)
        self.name = ElidedLabel("", Role.STRONG)
        self.form = ElidedLabel("", Role.CAPTION, Tone.MUTED)
        self.read_again = icon_button(IconName.REFRESH, "Read the file again")
        self.replace = button("Replace…")
        row = QHBoxLayout()
        row.setContentsMargins(Space.LARGE, 0, Space.LARGE, 0)
        row.setSpacing(Space.MEDIUM)
        row.addWidget(IconLabel(IconName.FILE))
        row.addLayout(_stacked(self.name, self.form), 1)
        self.figures = []
        for _ in range(_FIGURES):
            value = label("", Role.STRONG)
            caption = label("", Role.CAPTION, Tone.MUTED)
            self.figures.append((value, caption))
            divider = line(vertical=True)
            divider.setFixedHeight(Height.CONTROL)
            row.addWidget(divider)
            row.addLayout(_stacked(value, caption))
        row.addSpacing(Space.LARGE)
        row.addWidget(self.read_again)
        row.addWidget(self.replace)
        self.body.addLayout(row)


class EmptyData(Card):
    """What is expected, while there is no file.

    Attributes:
        drop_zone: Where a file goes.
        samples: Rows in forms that are read.
    """

    def __init__(self) -> None:
        super().__init__("No data yet")
        self.drop_zone = DropZone("Drop a file here", "JSON Lines or JSON, in UTF-8")
        self.samples = QPlainTextEdit("\n".join(SAMPLE_ROWS))
        self.samples.setReadOnly(True)
        self.samples.setProperty("role", "mono")
        self.samples.setTabChangesFocus(True)
        self.samples.setAccessibleName("Rows in the forms that are read")
        self.samples.setFixedHeight(_SAMPLES_HEIGHT)
        words = "One chat a line, in any of these forms."
        self.body.addWidget(self.drop_zone)
        self.body.addSpacing(Space.SMALL)
        self.body.addWidget(label(words, tone=Tone.MUTED, wraps=True))
        self.body.addWidget(self.samples)
        self.body.addStretch(1)


class FilledData(QWidget):
    """The file's facts, its rows, the selected chat, and what was left out.

    Attributes:
        strip: The facts.
        rows, rows_table, search: The rows.
        chat_card, chat, chat_note: The selected row.
        held_out, held_out_words: The share that is only measured with.
        findings_card, findings, no_findings: What is wrong with other rows.
    """

    def __init__(self) -> None:
        super().__init__()
        self.strip = FactsStrip()
        columns = TwoColumns(side_width=_SIDE_WIDTH)
        columns.left.addWidget(self._make_rows(), 1)
        columns.left.addWidget(self._make_held_out())
        columns.right.addWidget(self._make_chat(), 1)
        columns.right.addWidget(self._make_findings())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.LARGE)
        column.addWidget(self.strip)
        column.addWidget(columns, 1)

    def _make_rows(self) -> Card:
        card = Card("Rows", flush=True)
        self.search = SearchField(name="Find in rows", hint="Find in rows")
        self.search.setFixedWidth(_SEARCH_WIDTH)
        self.search.setClearButtonEnabled(True)
        card.add_header_widget(self.search)
        self.rows = ChatTableModel(card)
        self.rows_table = DataTable(self.rows, name="Rows", row_height=Height.ROW_DENSE)
        self.rows_table.set_widths({0: 56, 3: 96, 4: 92})
        self.rows_table.stretch_column(1)
        self.rows_table.stretch_column(2)
        self.rows_table.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored
        )
        self.rows_table.setMinimumHeight(_FINDINGS_HEIGHT)
        card.body.addWidget(self.rows_table)
        return card

    def _make_held_out(self) -> Card:
        card = Card("Held back to measure with")
        self.held_out = ChoiceBox(name="Share of rows held back")
        self.held_out.setFixedWidth(_SEARCH_WIDTH)
        self.held_out_words = ElidedLabel("", tone=Tone.MUTED)
        row = QHBoxLayout()
        row.setSpacing(Space.MEDIUM)
        row.addWidget(self.held_out)
        row.addWidget(self.held_out_words, 1)
        card.body.addLayout(row)
        return card

    def _make_chat(self) -> Card:
        self.chat_card = Card(chat_title(None))
        self.chat = ChatText()
        self.chat.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored
        )
        self.chat.setMinimumHeight(_LEAST_TEXT)
        self.chat_note = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self.chat_card.body.addWidget(self.chat, 1)
        self.chat_card.body.addWidget(self.chat_note)
        return self.chat_card

    def _make_findings(self) -> Card:
        self.findings_card = Card("Findings", " ", divided=True, flush=True)
        self.findings_card.setFixedHeight(_FINDINGS_HEIGHT)
        holder = QWidget()
        holder.setProperty("page", "true")
        column = QVBoxLayout(holder)
        column.setContentsMargins(Space.LARGE, Space.SMALL, Space.LARGE, Space.SMALL)
        column.setSpacing(0)
        self.no_findings = label(
            "Every row can be trained on.", tone=Tone.MUTED, wraps=True
        )
        self.findings = QVBoxLayout()
        self.findings.setSpacing(0)
        column.addWidget(self.no_findings)
        column.addLayout(self.findings)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setAccessibleName("Findings")
        scroll.setWidget(holder)
        self.findings_card.body.addWidget(scroll)
        return self.findings_card


class DataView(PageFrame):
    """What the model learns from, or what is missing for that.

    Attributes:
        choose, go_on: The header's buttons.
        no_project, empty, reading, trouble, filled: One of them is shown.
        to_start: Leads to the Start page.
        choose_other, try_again: What to do about a file that can't be used.
        trouble_findings: Why it can't.
    """

    def __init__(self) -> None:
        super().__init__("Data", "")
        self.choose = button("Choose a file…", icon=IconName.PLUS)
        self.go_on = button("Go on to the recipe", ButtonKind.PRIMARY)
        self.header.add_action_widget(self.choose)
        self.header.add_action_widget(self.go_on)
        self.no_project = EmptyState(
            IconName.FOLDER,
            "No project is open",
            "A project keeps its model, its data, its recipe and its runs together.",
        )
        self.to_start = button("Go to Start")
        self.no_project.add_button(self.to_start)
        self.empty = EmptyData()
        self.reading = EmptyState(IconName.FILE, "Reading the file", "")
        self.trouble = Card("The file can’t be used")
        self.trouble_findings = QVBoxLayout()
        self.choose_other = button("Choose another file…")
        self.try_again = button("Read it again", icon=IconName.REFRESH)
        self.trouble.body.addLayout(self.trouble_findings)
        remedies = QHBoxLayout()
        remedies.addWidget(self.choose_other)
        remedies.addWidget(self.try_again)
        remedies.addStretch(1)
        self.trouble.body.addLayout(remedies)
        self.trouble.body.addStretch(1)
        self.filled = FilledData()
        for face in self.faces():
            self.content.addWidget(face, 1)
            face.hide()

    def faces(self) -> tuple[QWidget, ...]:
        """The states of the page, of which one is shown."""
        return self.no_project, self.empty, self.reading, self.trouble, self.filled

    def show_face(self, face: QWidget) -> None:
        """Show one state of the page."""
        for other in self.faces():
            other.setVisible(other is face)


def _stacked(upper: QWidget, lower: QWidget) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(0)
    column.addStretch(1)
    column.addWidget(upper)
    column.addWidget(lower)
    column.addStretch(1)
    return column
