"""The Recipe page's layout."""

from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from studio.ui.forms.option_table import OptionTable
from studio.ui.icon_names import IconName
from studio.ui.keys import Deed, key_of
from studio.ui.pages.empty_page import TOP_LEFT, empty_page
from studio.ui.pages.recipe.explain_panel import ExplainPanel
from studio.ui.pages.recipe.planner import Planner
from studio.ui.pages.recipe.simple_form import SimpleForm
from studio.ui.pages.scroll_column import ScrollColumn
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, ButtonSize, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.fit_mark import FitMark
from studio.ui.widgets.labels import Role, Sentence, label
from studio.ui.widgets.memory_bar import MemoryBar
from studio.ui.widgets.page import PageFrame, TwoColumns
from studio.ui.widgets.segmented import Segmented

SIMPLE, EXPERT = "simple", "expert"
_SIDE_WIDTH = 448
_SLIDERS = 3
_NOTE_WIDTH = 184


class RecipeView(PageFrame):
    """Verdict and bar, the choices, why they are so, and what is open.

    Attributes:
        steps, note: The lines before the start button.
        propose, queue, start: The header's actions.
        empty, to_model, to_data: Shown while model or data is missing.
        filled: Everything else.
        mark, sentence, basis, remark, memory: The verdict.
        planner: Chooses a card that isn't here to price for.
        where: Opens and closes the panel that says where the memory goes.
        panel: That panel; it stands in the place of the choices.
        level, simple, expert: The choices, in their two forms.
        reasons, reasons_note: Why this recipe.
        findings, checks: What is open before the start.
    """

    def __init__(self) -> None:
        super().__init__("Recipe")
        self._make_header()
        self._make_empty()
        self.filled = QWidget()
        whole = QVBoxLayout(self.filled)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(Space.LARGE)
        whole.addWidget(self._make_verdict())
        self._columns = TwoColumns(side_width=_SIDE_WIDTH)
        self._columns.left.addWidget(self._make_choices())
        self._columns.right.addWidget(self._make_reasons(), 1)
        self._columns.right.addWidget(self._make_findings(), 1)
        self.panel = ExplainPanel()
        whole.addWidget(self._columns, 1)
        whole.addWidget(self.panel, 1)
        self.show_panel(shown=False)
        self.content.addWidget(self.empty, 0, TOP_LEFT)
        self.content.addWidget(self.filled, 1)

    def show_level(self, level: str) -> None:
        """Show the simple or the expert form."""
        self.level.set_current(level)
        self._forms.setCurrentWidget(self.expert if level == EXPERT else self.simple)
        self.expert.find_field.setVisible(level == EXPERT)

    def show_panel(self, *, shown: bool) -> None:
        """Show where the memory goes, or the choices."""
        self.where.setText("Back to the choices" if shown else "Where does it go?")
        self._columns.setVisible(not shown)
        self.panel.setVisible(shown)

    def _make_header(self) -> None:
        self.steps = label("", Role.CAPTION)
        self.steps.setToolTip(
            "By the card’s data sheet, until a run’s own steps are timed."
        )
        self.note = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        # A label that wraps would make itself narrow and high.
        self.note.setFixedWidth(_NOTE_WIDTH)
        self.propose = button("Propose", icon=IconName.BOLT, size=ButtonSize.LARGE)
        self.propose.setToolTip(
            "Take what is recommended for this model, data and the memory that is "
            "free; what you set here stays."
        )
        self.queue = button("Add to queue…", icon=IconName.CLOCK, size=ButtonSize.LARGE)
        self.queue.setToolTip(key_of(Deed.QUEUE))
        self.start = button(
            "Start training",
            ButtonKind.PRIMARY,
            IconName.PLAY,
            size=ButtonSize.START,
        )
        self.start.setToolTip(key_of(Deed.START))
        self.header.add_note(self.steps)
        self.header.add_note(self.note)
        self.header.add_action_widget(self.propose)
        self.header.add_action_widget(self.queue)
        self.header.add_action_widget(self.start)

    def _make_empty(self) -> None:
        self.empty = empty_page(
            IconName.SLIDERS,
            "A recipe needs a model and data",
            "With both chosen, a recipe that fits the free memory is proposed here.",
        )
        self.to_model = button("Choose a model", ButtonKind.PRIMARY)
        self.to_data = button("Choose the data")
        self.empty.add_button(self.to_model)
        self.empty.add_button(self.to_data)

    def _make_verdict(self) -> Card:
        card = Card()
        self.mark = FitMark(about="This recipe", large=True)
        self.sentence = Sentence()
        self.sentence.setWordWrap(True)
        self.basis = label("", Role.CAPTION, Tone.MUTED)
        self.remark = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self.where = button("Where does it go?", ButtonKind.FLAT)
        self.where.setCheckable(True)
        self.where.setToolTip(key_of(Deed.EXPLAIN))
        self.planner = Planner(self)
        self.memory = MemoryBar(moves_headroom=True)
        first = QHBoxLayout()
        first.setSpacing(Space.MEDIUM)
        first.addWidget(self.mark)
        first.addWidget(self.sentence, 1)
        last = QHBoxLayout()
        last.setSpacing(Space.MEDIUM)
        last.addWidget(self.basis, 1)
        last.addWidget(self.planner.button)
        last.addWidget(self.where)
        card.body.setSpacing(Space.HAIR)
        card.body.setContentsMargins(Space.LARGE, Space.MEDIUM, Space.LARGE, Space.HAIR)
        card.body.addLayout(first)
        card.body.addWidget(self.remark)
        card.body.addWidget(self.memory)
        card.body.addLayout(last)
        return card

    def _make_choices(self) -> Card:
        card = Card("Choices", divided=True, flush=True)
        self.level = Segmented(
            [(SIMPLE, "Simple"), (EXPERT, "Expert")], name="Which choices are shown"
        )
        self.simple = SimpleForm(_SLIDERS)
        self.expert = OptionTable()
        card.add_header_widget(self.expert.find_field)
        card.add_header_widget(self.level)
        self._forms = QStackedWidget()
        self._forms.addWidget(self.simple)
        self._forms.addWidget(self.expert)
        card.body.addWidget(self._forms)
        self.show_level(SIMPLE)
        return card

    def _make_reasons(self) -> Card:
        card = Card(
            "Why this recipe",
            "what each choice saves or costs",
            divided=True,
            flush=True,
        )
        self.reasons = ScrollColumn("Why this recipe")
        self.reasons_note = label("", tone=Tone.MUTED, wraps=True)
        self.reasons_note.setContentsMargins(
            Space.LARGE, Space.LARGE, Space.LARGE, Space.LARGE
        )
        card.body.addWidget(self.reasons_note)
        card.body.addWidget(self.reasons, 1)
        return card

    def _make_findings(self) -> Card:
        card = Card("Before you start", divided=True)
        self.checks = FitMark(about="Before you start")
        card.add_header_widget(self.checks)
        self.findings = ScrollColumn("What is open before the start")
        card.body.addWidget(self.findings)
        return card
