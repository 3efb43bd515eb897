"""The Runs page's layout."""

from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from studio.ui.icon_names import IconName
from studio.ui.item_models.cells import CellModel, Column
from studio.ui.keys import Deed, key_of
from studio.ui.pages.empty_page import TOP_LEFT, empty_page
from studio.ui.pages.runs.view_model import NO_RUNS
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.labels import Role, label
from studio.ui.widgets.page import PageFrame
from studio.ui.widgets.table import DataTable, MarkDelegate

COLUMNS = (
    Column("Run"),
    Column("Model"),
    Column("Outcome"),
    Column("Held-out loss", at_right=True),
    Column("Steps", at_right=True),
    Column("Time", at_right=True),
    Column("When"),
)
TITLE = "Runs"
_MARK_COLUMN = 2
_WIDTHS = {1: 160, 2: 132, 3: 124, 4: 128, 5: 104, 6: 112}


class RunsView(PageFrame):
    """All runs of the project, and what can be done with the one that is chosen.

    Attributes:
        export: Leads to the chosen run's result; the primary action.
        combine: Makes one adapter of the chosen run's and others'.
        back: Leads back from the evaluations of a run.
        empty, to_recipe: Shown while there are no runs.
        filled: Everything else.
        evaluation: Shown instead, with the chosen run beside its base.
        findings: Why a run can't be read, or a deed was refused.
        rows, table: The list.
        open_run, go_on, evaluate, open_folder, copy_recipe, queue, delete: For the
            chosen run.
        note: Why something can't be done with it.
    """

    def __init__(self, waiting: QWidget, evaluation: QWidget) -> None:
        """Lay the page out.

        Args:
            waiting: The runs that wait.
            evaluation: A run beside its base.
        """
        super().__init__(TITLE)
        self.evaluation = evaluation
        self.back = button("Back to the runs")
        self.header.add_action_widget(self.back)
        self.combine = button("Combine…", icon=IconName.PLUS)
        self.header.add_action_widget(self.combine)
        self.export = button("Go to its result", ButtonKind.PRIMARY, IconName.EXPORT)
        self.header.add_action_widget(self.export)
        self.empty = empty_page(IconName.BARS, *NO_RUNS)
        self.to_recipe = button("Go to the recipe", ButtonKind.PRIMARY)
        self.empty.add_button(self.to_recipe)
        self.filled = QWidget()
        whole = QVBoxLayout(self.filled)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(Space.LARGE)
        self.findings = QVBoxLayout()
        self.findings.setSpacing(Space.SMALL)
        whole.addLayout(self.findings)
        whole.addWidget(self._make_list(), 1)
        self.content.addWidget(self.empty, 0, TOP_LEFT)
        self.content.addWidget(waiting)
        self.content.addWidget(self.filled, 1)
        self.content.addWidget(self.evaluation, 1)
        self.content.addStretch(0)

    def _make_list(self) -> Card:
        card = Card(flush=True)
        self.rows = CellModel(COLUMNS, card)
        self.table = DataTable(self.rows, name="Runs, newest first")
        marks = MarkDelegate(self.table)
        self.table.setItemDelegateForColumn(_MARK_COLUMN, marks)
        self.table.set_widths(_WIDTHS)
        self.table.stretch_column(0)
        card.body.addWidget(self.table, 1)
        card.add_row_line()
        card.body.addLayout(self._make_deeds())
        return card

    def _make_deeds(self) -> QHBoxLayout:
        self.open_run = button("Open", icon=IconName.PULSE)
        self.go_on = button("Go on", icon=IconName.PLAY)
        self.go_on.setToolTip("Trains on from its last checkpoint")
        self.evaluate = button("Evaluate…", icon=IconName.BARS)
        self.evaluate.setToolTip("Measures it beside its base, on rows it never learnt")
        self.open_folder = button("Open folder", icon=IconName.FOLDER)
        self.copy_recipe = button("Copy recipe’s path", icon=IconName.COPY)
        self.copy_recipe.setToolTip(key_of(Deed.COPY_RECIPE))
        self.queue = button("Add to queue…", icon=IconName.CLOCK)
        self.queue.setToolTip("Lets its recipe, or a sweep of it, wait for its turn")
        self.delete = button("Delete…", ButtonKind.DANGER)
        self.note = label("", Role.CAPTION, Tone.MUTED)
        # In a narrow window it may be cut; it must not push the deeds out.
        self.note.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
        )
        row = QHBoxLayout()
        row.setContentsMargins(Space.LARGE, Space.MEDIUM, Space.LARGE, Space.MEDIUM)
        row.setSpacing(Space.SMALL)
        deeds = (self.open_run, self.go_on, self.evaluate, self.open_folder)
        for deed in (*deeds, self.copy_recipe, self.queue):
            row.addWidget(deed)
        row.addWidget(self.note, 1)
        row.addWidget(self.delete)
        return row
