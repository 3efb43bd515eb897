"""The Export page's layout."""

from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.ui.icon_names import IconName
from studio.ui.pages.empty_page import TOP_LEFT, empty_page
from studio.ui.pages.export.parts import TryIt
from studio.ui.pages.export.proof_card import ProofCard
from studio.ui.pages.export.view_model import NOTHING_YET
from studio.ui.pages.export.what_to_make import WhatToMake
from studio.ui.tokens import Space
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.inputs import ChoiceBox
from studio.ui.widgets.page import PageFrame, TwoColumns

_SIDE_WIDTH = 344
_RUN_WIDTH = 220


class ExportPageView(PageFrame):
    """What a run left, what can be made of it, and what it answers.

    Attributes:
        runs: Chooses among the runs that left an adapter.
        open_run_folder: Shows the run's folder.
        empty, to_recipe, to_runs: Shown while there is nothing to export.
        filled: Everything else.
        findings: What went wrong.
        made: What can be made, and the deed.
        proof: The certificate, and the run's own prompts.
        trial: One prompt of the user's own.
    """

    def __init__(self) -> None:
        super().__init__("Export")
        self.runs = ChoiceBox(name="Run whose result is shown")
        self.runs.setFixedWidth(_RUN_WIDTH)
        self.open_run_folder = button("Open folder", icon=IconName.FOLDER)
        self.header.add_action_widget(self.runs)
        self.header.add_action_widget(self.open_run_folder)
        self.empty = empty_page(IconName.EXPORT, *NOTHING_YET)
        self.to_recipe = button("Go to the recipe", ButtonKind.PRIMARY)
        self.to_runs = button("Go to the runs")
        self.empty.add_button(self.to_recipe)
        self.empty.add_button(self.to_runs)
        self.filled = QWidget()
        whole = QVBoxLayout(self.filled)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(Space.LARGE)
        self.findings = QVBoxLayout()
        self.findings.setSpacing(Space.SMALL)
        whole.addLayout(self.findings)
        columns = TwoColumns(side_width=_SIDE_WIDTH, side_is_left=True)
        self.made, self.proof = WhatToMake(), ProofCard()
        columns.left.addWidget(self.made)
        columns.right.addWidget(self.proof)
        whole.addWidget(columns, 4)
        self.trial = TryIt()
        whole.addWidget(self.trial, 3)
        self.content.addWidget(self.empty, 0, TOP_LEFT)
        self.content.addWidget(self.filled, 1)
