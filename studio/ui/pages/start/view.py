"""The Start page's layout."""

from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.ui.icon_names import IconName
from studio.ui.item_models.cells import CellModel, Column
from studio.ui.keys import Deed, key_of
from studio.ui.pages.data_files import SHORT_KINDS
from studio.ui.pages.drop_zone import DropZone
from studio.ui.pages.start.view_model import LOOKING, NO_RUNS, NO_RUNS_WORDS
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.buttons import ButtonKind, ButtonSize, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.empty_state import EmptyState
from studio.ui.widgets.inputs import TextField
from studio.ui.widgets.labels import ElidedLabel, Role, label
from studio.ui.widgets.memory_bar import MemoryBar
from studio.ui.widgets.page import PageFrame, TwoColumns
from studio.ui.widgets.table import DataTable, MarkDelegate

_SIDE_WIDTH = 360
_MARK_COLUMN = 2


class NewProject(QWidget):
    """The question that follows "New project…": its name.

    Attributes:
        words: What the project begins with.
        name: The field.
        error: What is wrong with the name; hidden while nothing is.
        make: Makes the project.
        cancel: Leaves everything as it was.
    """

    def __init__(self) -> None:
        super().__init__()
        self.words = label("", tone=Tone.MUTED, wraps=True)
        self.name = TextField(name="Name of the project", hint="Name of the project")
        self.error = label("", Role.CAPTION, Tone.DANGER, wraps=True)
        self.error.hide()
        self.make = button("Create", size=ButtonSize.LARGE)
        self.cancel = button("Cancel", size=ButtonSize.LARGE)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.SMALL)
        for widget in (self.words, self.name, self.error):
            column.addWidget(widget)
        column.addLayout(_row(self.make, self.cancel))


class DroppedFile(QWidget):
    """The question that follows a dropped file: what it is for.

    Attributes:
        file_name: Which file.
        use_here: Makes it the open project's data.
        new_project: Makes a project of it.
        cancel: Leaves everything as it was.
    """

    def __init__(self) -> None:
        super().__init__()
        self.file_name = ElidedLabel("", Role.STRONG)
        self.use_here = button("Data of this project", size=ButtonSize.LARGE)
        self.new_project = button("New project with it…", size=ButtonSize.LARGE)
        self.cancel = button("Cancel", ButtonKind.FLAT, size=ButtonSize.LARGE)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.SMALL)
        column.addWidget(self.file_name)
        column.addWidget(label("What is this file for?", tone=Tone.MUTED))
        for widget in (self.use_here, self.new_project, self.cancel):
            column.addWidget(widget)


class StartView(PageFrame):
    """What this machine is, the example, a project of one's own, recent runs.

    Attributes:
        measure_again: Reads the machine again.
        answer_title, answer_words, memory: What this machine is.
        example_note: Why the example can't be started now; hidden when it can.
        tune_example, open_example: The example's buttons.
        findings: Where a refused start is told.
        drop_zone, new_project: The ways to a project of one's own.
        own_idle, naming, dropped: The three faces of that card.
        projects, projects_table, no_projects: The projects, or that there are none.
        runs, runs_table, runs_card, no_runs: The recent runs, or that there are none.
        all_runs: Leads to all of them.
    """

    def __init__(self) -> None:
        super().__init__("Start", LOOKING)
        self.measure_again = button("Measure again", ButtonKind.FLAT, IconName.REFRESH)
        self.measure_again.setToolTip(key_of(Deed.MEASURE))
        self.header.add_action_widget(self.measure_again)
        columns = TwoColumns(side_width=_SIDE_WIDTH)
        columns.left.addWidget(self._make_answer())
        columns.left.addWidget(self._make_example())
        columns.left.addStretch(1)
        columns.right.addWidget(self._make_own())
        columns.right.addWidget(self._make_projects(), 1)
        self.content.addWidget(columns)
        self.content.addLayout(self._make_runs_header())
        self.runs_card = self._make_runs()
        self.no_runs = EmptyState(IconName.BARS, NO_RUNS, NO_RUNS_WORDS)
        self.content.addWidget(self.runs_card, 1)
        self.content.addWidget(self.no_runs, 1)

    def _make_answer(self) -> Card:
        card = Card()
        self.answer_title = label(LOOKING, Role.PAGE_TITLE, wraps=True)
        self.answer_words = label("", tone=Tone.MUTED, wraps=True)
        self.memory = MemoryBar(shows_prediction=False)
        for widget in (self.answer_title, self.answer_words, self.memory):
            card.body.addWidget(widget)
        return card

    def _make_example(self) -> Card:
        card = Card("Try it first: the cheesemonger")
        card.body.addWidget(
            label(
                "A small chat model learns to answer as a cheese expert does, with all "
                "his habits of speech. Model and chats come with Snugtune; nothing is "
                "downloaded.",
                tone=Tone.MUTED,
                wraps=True,
            )
        )
        self.findings = QVBoxLayout()
        card.body.addLayout(self.findings)
        self.tune_example = button(
            "Fine-tune the example",
            ButtonKind.PRIMARY,
            IconName.PLAY,
            size=ButtonSize.LARGE,
        )
        self.open_example = button("Open the example", size=ButtonSize.LARGE)
        card.body.addSpacing(Space.HAIR)
        card.body.addLayout(_row(self.tune_example, self.open_example))
        self.example_note = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self.example_note.hide()
        card.body.addWidget(self.example_note)
        card.body.addStretch(1)
        return card

    def _make_own(self) -> Card:
        card = Card("Start from your examples")
        self.drop_zone = DropZone("Drop a file or a folder here", SHORT_KINDS)
        self.new_project = button(
            "New project…", icon=IconName.PLUS, size=ButtonSize.LARGE
        )
        self.own_idle = QWidget()
        idle = QVBoxLayout(self.own_idle)
        idle.setContentsMargins(0, 0, 0, 0)
        idle.setSpacing(Space.LARGE)
        idle.addWidget(self.drop_zone)
        idle.addWidget(self.new_project)
        self.naming = NewProject()
        self.dropped = DroppedFile()
        for face in (self.own_idle, self.naming, self.dropped):
            card.body.addWidget(face)
        self.naming.hide()
        self.dropped.hide()
        return card

    def _make_projects(self) -> Card:
        card = Card("Projects", " ", divided=True, flush=True)
        self.projects_card = card
        self.projects = CellModel([Column("Project"), Column("", at_right=True)], card)
        self.projects_table = DataTable(
            self.projects, name="Projects", row_height=Height.ROW_DENSE
        )
        self.projects_table.horizontalHeader().hide()
        self.projects_table.set_widths({1: 96})
        self.projects_table.stretch_column(0)
        self.projects_table.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored
        )
        self.projects_table.setMinimumHeight(2 * Height.ROW_DENSE)
        self.no_projects = label(
            "None yet. The example is one, once you open it.",
            tone=Tone.MUTED,
            wraps=True,
        )
        self.no_projects.setContentsMargins(
            Space.LARGE, Space.MEDIUM, Space.LARGE, Space.MEDIUM
        )
        card.body.addWidget(self.projects_table, 1)
        card.body.addWidget(self.no_projects)
        card.body.addStretch(0)
        return card

    def _make_runs_header(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(label("Recent runs", Role.CARD_TITLE))
        row.addStretch(1)
        self.all_runs = button("All runs", ButtonKind.FLAT)
        row.addWidget(self.all_runs)
        return row

    def _make_runs(self) -> Card:
        card = Card(flush=True)
        self.runs = CellModel(
            [
                Column("Run"),
                Column("Model"),
                Column("Outcome"),
                Column("Held-out loss", at_right=True),
                Column("Peak, GiB", at_right=True),
                Column("Time", at_right=True),
                Column("When"),
            ],
            card,
        )
        self.runs_table = DataTable(self.runs, name="Recent runs")
        marks = MarkDelegate(self.runs_table)
        self.runs_table.setItemDelegateForColumn(_MARK_COLUMN, marks)
        self.runs_table.set_widths({1: 190, 2: 160, 3: 120, 4: 120, 5: 110, 6: 130})
        self.runs_table.stretch_column(0)
        self.runs_table.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored
        )
        self.runs_table.setMinimumHeight(Height.TABLE_HEADER + 3 * Height.ROW)
        card.body.addWidget(self.runs_table)
        card.hide()
        return card


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(Space.SMALL)
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch(1)
    return row
