"""The cards of an evaluation: figures beside the base, and answers side by side."""

from typing import Final

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout

from studio.domain.evaluation import BASE, TUNED, Evaluation
from studio.ui.icon_names import IconName
from studio.ui.item_models.cells import Cell, CellModel, Column
from studio.ui.pages.evaluation.view_model import (
    SORTINGS,
    Sorting,
    about,
    few_words,
    gain_words,
    input_rows,
    is_judged,
    measure_rows,
    reference_words,
    said_words,
    score_words,
    seen_words,
)
from studio.ui.pages.export.parts import AnswerPanel
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.buttons import button
from studio.ui.widgets.card import Card
from studio.ui.widgets.inputs import ChoiceBox
from studio.ui.widgets.labels import ElidedLabel, Role, label
from studio.ui.widgets.table import DataTable, MarkDelegate

_FIGURES: Final = (
    Column("Measure"),
    Column("Base", at_right=True),
    Column("Tuned", at_right=True),
    Column("Difference (95 % interval)", at_right=True),
    Column("Verdict"),
)
_FIGURE_WIDTHS: Final = {1: 76, 2: 76, 3: 216, 4: 172}
_VERDICTS: Final = 4
_INPUTS: Final = (
    Column("Asked"),
    Column("Base"),
    Column("Tuned"),
    Column("Gain", at_right=True),
)
_INPUT_WIDTHS: Final = {3: 72}
_LEAST_ROWS: Final = 3
_MEASURES: Final = 5
_KEPT_WIDTH: Final = 240


class FiguresCard(Card):
    """The figures, a row a measure.

    Attributes:
        kept: Chooses among the evaluations of the run.
        open_page: Shows the report for people.
    """

    def __init__(self) -> None:
        super().__init__("Base against tuned", flush=True)
        self.kept = ChoiceBox(name="Evaluation that is shown")
        self.kept.setFixedWidth(_KEPT_WIDTH)
        self.open_page = button("Open the report", icon=IconName.FILE)
        self.add_header_widget(self.kept)
        self.add_header_widget(self.open_page)
        self.rows = CellModel(_FIGURES, self)
        self.table = DataTable(
            self.rows,
            name="Figures of base and tuned model",
            row_height=Height.ROW_DENSE,
        )
        self.table.setItemDelegateForColumn(_VERDICTS, MarkDelegate(self.table))
        self.table.set_widths(_FIGURE_WIDTHS)
        self.table.stretch_column(0)
        self.table.setMinimumHeight(Height.TABLE_HEADER + _MEASURES * Height.ROW_DENSE)
        self._notes = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self.body.addWidget(self.table, 1)
        notes = QVBoxLayout()
        notes.setContentsMargins(Space.LARGE, Space.SMALL, Space.LARGE, Space.MEDIUM)
        notes.addWidget(self._notes)
        self.body.addLayout(notes)

    def show_evaluation(self, evaluation: Evaluation) -> None:
        """Show other figures."""
        rows = measure_rows(evaluation)
        self.rows.set_rows(
            [
                (
                    row.measure,
                    [
                        Cell(row.measure, hint=row.help),
                        Cell(row.base),
                        Cell(row.tuned),
                        Cell(row.change),
                        Cell(row.mark.words, painted=row.mark),
                    ],
                )
                for row in rows
            ]
        )
        few = few_words(evaluation)
        notes = [f"{about(evaluation)}. {few}".strip(), *evaluation.findings]
        self._notes.setText("\n".join(notes))


class AnswersCard(Card):
    """Input by input: the list, and one of them whole.

    Attributes:
        sorting: The order of the list.
        table: The list.
        reference, base, tuned: Of the chosen input.
    """

    def __init__(self) -> None:
        super().__init__("Input by input", " ", flush=True)
        self._shown: Evaluation | None = None
        self.sorting = ChoiceBox(SORTINGS, name="Order of the inputs")
        self.add_header_widget(self.sorting)
        self.rows = CellModel(_INPUTS, self)
        self.table = DataTable(self.rows, name="Inputs", row_height=Height.ROW_DENSE)
        self.table.set_widths(_INPUT_WIDTHS)
        for column in range(len(_INPUTS) - 1):
            self.table.stretch_column(column)
        self.table.setMinimumHeight(
            Height.TABLE_HEADER + _LEAST_ROWS * Height.ROW_DENSE
        )
        # What it would like to have must not let the page scroll.
        self.table.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored
        )
        self._asked = ElidedLabel("", Role.STRONG)
        self.reference = AnswerPanel("Reference")
        self.base = AnswerPanel("Base")
        self.tuned = AnswerPanel("Tuned")
        self._lay_out()
        self.sorting.currentIndexChanged.connect(self._on_sorting_changed)
        self.table.selectionModel().currentRowChanged.connect(self._on_row_changed)

    def show_evaluation(self, evaluation: Evaluation) -> None:
        """Show other answers."""
        self._shown = evaluation
        self.set_note(gain_words(evaluation))
        self._show_rows()

    def _lay_out(self) -> None:
        self.body.addWidget(self.table, 3)
        self.add_row_line()
        below = QVBoxLayout()
        below.setContentsMargins(Space.LARGE, Space.SMALL, Space.LARGE, Space.LARGE)
        below.setSpacing(Space.SMALL)
        below.addWidget(self._asked)
        answers = QHBoxLayout()
        answers.setSpacing(Space.LARGE)
        for panel in (self.reference, self.base, self.tuned):
            answers.addWidget(panel, 1)
        below.addLayout(answers, 1)
        self.body.addLayout(below, 2)

    def _show_rows(self) -> None:
        if self._shown is None:
            return
        rows = input_rows(self._shown, Sorting(self.sorting.value()))
        self.rows.set_rows(
            [
                (
                    row.key,
                    [
                        Cell(row.asked, hint=row.seen),
                        Cell(row.base),
                        Cell(row.tuned),
                        Cell(row.gain, tone=row.tone),
                    ],
                )
                for row in rows
            ]
        )
        if rows:
            self.table.selectRow(0)
            self.table.scrollToTop()
        self._show_row()

    def _show_row(self) -> None:
        key = self.rows.key_at(self.table.current_row())
        if self._shown is None or not key:
            return
        compared = self._shown.compared[int(key)]
        self._asked.set_text(" ".join(compared.prompt.split()))
        self._asked.setVisible(bool(compared.prompt))
        judged = is_judged(self._shown)
        words = reference_words(compared, is_judged=judged)
        self.reference.show_answer(words, seen_words(compared))
        for panel, voice in ((self.base, BASE), (self.tuned, TUNED)):
            said = compared.said[voice]
            panel.show_answer(said_words(said), score_words(said))

    @Slot()
    def _on_sorting_changed(self) -> None:
        self._show_rows()

    @Slot()
    def _on_row_changed(self) -> None:
        self._show_row()
