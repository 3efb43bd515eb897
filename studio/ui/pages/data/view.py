"""The Data page's layout."""

from typing import Final

from PySide6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from studio.ui.icon_names import IconName
from studio.ui.pages.data.findings_card import FindingsCard
from studio.ui.pages.data.lengths_card import LengthsCard
from studio.ui.pages.data.mapping_form import MappingForm
from studio.ui.pages.data.row_card import RowCard
from studio.ui.pages.data.rows_card import RowsCard
from studio.ui.pages.data.strip import FactsStrip
from studio.ui.pages.data.view_model import SAMPLE_ROWS
from studio.ui.pages.data_files import KINDS
from studio.ui.pages.drop_zone import DropZone
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.empty_state import EmptyState
from studio.ui.widgets.labels import label
from studio.ui.widgets.page import PageFrame, TwoColumns

_SIDE_WIDTH: Final = 448
_SAMPLES_HEIGHT: Final = 96
_UPPER_HEIGHT: Final = 260
_LOWER_HEIGHT: Final = 240


class EmptyData(Card):
    """What is expected, while there is no file.

    Attributes:
        drop_zone: Where a file goes.
        samples: Rows in forms that are read.
        from_hub: Asks for a data set of the hub.
        make_drafts: Leads to making examples from documents.
    """

    def __init__(self) -> None:
        super().__init__("No data yet")
        self.drop_zone = DropZone("Drop a file or a folder here", KINDS)
        self.samples = QPlainTextEdit("\n".join(SAMPLE_ROWS))
        self.samples.setReadOnly(True)
        self.samples.setProperty("role", "mono")
        self.samples.setTabChangesFocus(True)
        self.samples.setAccessibleName("Rows in the forms that are read")
        self.samples.setFixedHeight(_SAMPLES_HEIGHT)
        words = (
            "One example a row. These forms are recognised; columns of any other name "
            "can be assigned."
        )
        self.body.addWidget(self.drop_zone)
        self.body.addSpacing(Space.SMALL)
        self.body.addWidget(label(words, tone=Tone.MUTED, wraps=True))
        self.body.addWidget(self.samples)
        self.body.addSpacing(Space.SMALL)
        self.make_drafts = button("Make examples from documents…")
        self.from_hub = button("From the Hugging Face hub…")
        makes = QHBoxLayout()
        makes.setSpacing(Space.SMALL)
        makes.addWidget(self.from_hub)
        makes.addWidget(self.make_drafts)
        makes.addStretch(1)
        self.body.addLayout(makes)
        self.body.addStretch(1)


class FilledData(QWidget):
    """The file's facts, its rows, the selected one, lengths and findings.

    Attributes:
        strip: The facts.
        rows: The table of rows.
        row: The selected one.
        lengths: How long they are, and where they are cut.
        findings: What is wrong with them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.strip = FactsStrip()
        self.rows = RowsCard()
        self.row = RowCard()
        self.lengths = LengthsCard()
        self.findings = FindingsCard()
        columns = TwoColumns(side_width=_SIDE_WIDTH)
        for column, upper, lower in (
            (columns.left, self.rows, self.lengths),
            (columns.right, self.row, self.findings),
        ):
            for card, least in ((upper, _UPPER_HEIGHT), (lower, _LOWER_HEIGHT)):
                # Both columns share their height alike, whatever is in them.
                policy = QSizePolicy.Policy
                card.setSizePolicy(policy.Preferred, policy.Ignored)
                card.setMinimumHeight(least)
            column.addWidget(upper, 3)
            column.addWidget(lower, 2)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.LARGE)
        column.addWidget(self.strip)
        column.addWidget(columns, 1)


class DataView(PageFrame):
    """What the model learns from, or what is missing for that.

    Attributes:
        choose, choose_folder, go_on: The header's buttons.
        no_project, empty, reading, trouble, filled, mapping, drafts: One of them is
            shown.
        to_start: Leads to the Start page.
        choose_other, assign, try_again: What to do about a file that can't be used.
        trouble_findings: Why it can't.
    """

    def __init__(self, mapping: MappingForm, drafts: QWidget) -> None:
        super().__init__("Data", "")
        self.mapping = mapping
        self.drafts = drafts
        self.choose = button("Choose a file…", icon=IconName.PLUS)
        self.choose_folder = button("Folder…")
        self.go_on = button("Go on to the recipe", ButtonKind.PRIMARY)
        self.header.add_action_widget(self.choose)
        self.header.add_action_widget(self.choose_folder)
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
        self.assign = button("Assign columns…")
        self.try_again = button("Read it again", icon=IconName.REFRESH)
        self.trouble.body.addLayout(self.trouble_findings)
        remedies = QHBoxLayout()
        remedies.setSpacing(Space.SMALL)
        remedies.addWidget(self.choose_other)
        remedies.addWidget(self.assign)
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
        return (
            self.no_project,
            self.empty,
            self.reading,
            self.trouble,
            self.filled,
            self.mapping,
            self.drafts,
        )

    def show_face(self, face: QWidget) -> None:
        """Show one state of the page."""
        for other in self.faces():
            other.setVisible(other is face)
