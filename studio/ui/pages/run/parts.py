"""The cards of the Run page for charts, answers and events."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QSizePolicy,
    QWidget,
)

from studio.ui.icons import SMALL_SIZE
from studio.ui.pages.run.happenings import Happening
from studio.ui.pages.run.samples import PromptAnswers
from studio.ui.pages.scroll_column import ScrollColumn
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.card import Card
from studio.ui.widgets.icon_label import IconLabel
from studio.ui.widgets.inputs import ChoiceBox
from studio.ui.widgets.labels import ElidedLabel, Role, label
from studio.ui.widgets.segmented import Segmented

_MOST_HAPPENINGS = 100
_WHEN_WIDTH = 56
_ANSWER_HEIGHT = 64
_EVENTS_HEIGHT = 52
BEFORE, AFTER = "before", "after"
_NONE_YET = {
    True: "It was not asked before training.",
    False: "It is asked again after training.",
}


class ChartCard(Card):
    """A card that holds a chart, its newest value at the header's right."""

    def __init__(self, title: str, note: str = "", *, flat: bool = False) -> None:
        """Make an empty card.

        Args:
            title: What the chart draws.
            note: Its unit, or a first value.
            flat: A low card beside larger ones: narrower margins.
        """
        super().__init__(title, note)
        if flat:
            make_header_flat(self)
        if self.note_label is not None and flat:
            self.note_label.setProperty("role", Role.ANSWER.value)
            self.note_label.setProperty("tone", Tone.NORMAL.value)
        bottom = 2 if flat else Space.MEDIUM
        self.body.setContentsMargins(Space.SMALL, 0, Space.MEDIUM, bottom)
        self._chart: QWidget | None = None
        self.waiting = label("Drawn from the first step on.", tone=Tone.MUTED)
        self.waiting.setContentsMargins(Space.SMALL, 0, 0, 0)
        self.waiting.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.body.addWidget(self.waiting, 1)

    def show_chart(self, *, has_points: bool) -> None:
        """Show the chart once there is something to draw; no axis is made up."""
        self.waiting.setVisible(not has_points)
        if self._chart is not None:
            self._chart.setVisible(has_points)

    def set_chart(self, chart: QWidget) -> None:
        """Put the chart in; it takes the room there is and asks for none."""
        self._chart = chart
        chart.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        self.body.addWidget(chart, 1)


class SamplesCard(Card):
    """A prompt's answer before training, or its newest one.

    Attributes:
        prompts: Chooses the prompt.
        which: Before or after.
        answer: The answer's text.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Sample answers", parent=parent)
        self._shown: tuple[PromptAnswers, ...] = ()
        self._was_chosen = False
        self.prompts = ChoiceBox(name="Prompt")
        self.which = Segmented(
            [(BEFORE, "Before"), (AFTER, "After")], name="Answer given"
        )
        self.answer = QPlainTextEdit()
        self.answer.setReadOnly(True)
        self.answer.setAccessibleName("Answer")
        self.answer.setTabChangesFocus(True)
        self.answer.setMinimumHeight(_ANSWER_HEIGHT)
        self.answer.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored
        )
        self._when = label("", Role.CAPTION, Tone.MUTED)
        self._waiting = label("No prompt was answered yet.", tone=Tone.MUTED)
        self.add_header_widget(self.which)
        self.body.setSpacing(Space.HAIR)
        for widget in (self._waiting, self.prompts, self._when):
            self.body.addWidget(widget)
        self.body.addWidget(self.answer, 1)
        self.body.addStretch(0)
        self.prompts.currentIndexChanged.connect(self._on_prompt_changed)
        self.which.choice_changed.connect(self._on_which_changed)
        self.show_prompts(())

    def show_prompts(self, prompts: tuple[PromptAnswers, ...]) -> None:
        """Show prompts and their answers; the chosen prompt stays."""
        self._shown = prompts
        names = [prompt.prompt for prompt in prompts]
        listed = [self.prompts.itemData(n) for n in range(self.prompts.count())]
        if names != listed:
            self.prompts.set_choices([(name, name) for name in names])
        for widget in (self.prompts, self.which, self._when, self.answer):
            widget.setVisible(bool(prompts))
        self._waiting.setVisible(not prompts)
        self._show_answer()

    def _show_answer(self) -> None:
        place = self.prompts.currentIndex()
        if not 0 <= place < len(self._shown):
            return
        prompt = self._shown[place]
        if not self._was_chosen:
            self.which.set_current(BEFORE if prompt.now is None else AFTER)
        before = self.which.current() == BEFORE
        answer = prompt.before if before else prompt.now
        words = answer.text if answer is not None else _NONE_YET[before]
        when = f"Prompt {place + 1} of {len(self._shown)}"
        self._when.setText(when if answer is None else f"{when}, {answer.when}")
        self.prompts.setToolTip(prompt.prompt)
        if words != self.answer.toPlainText():
            self.answer.setPlainText(words)

    def _on_prompt_changed(self) -> None:
        self._show_answer()

    def _on_which_changed(self) -> None:
        self._was_chosen = True
        self._show_answer()


class HappeningsCard(Card):
    """What happened, newest first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Events", parent=parent)
        make_header_flat(self)
        self._shown: tuple[Happening, ...] = ()
        self._column = ScrollColumn("Events, newest first")
        self._column.setMinimumHeight(_EVENTS_HEIGHT)
        self.body.setContentsMargins(Space.LARGE, 0, Space.SMALL, Space.SMALL)
        self.body.addWidget(self._column)

    def show_happenings(self, happenings: Sequence[Happening]) -> None:
        """Show what happened, at most a hundred lines of it."""
        newest = tuple(happenings[:_MOST_HAPPENINGS])
        if newest == self._shown:
            return
        self._shown = newest
        self._column.set_rows([_happening_row(happening) for happening in newest])
        total = len(happenings)
        older = f"newest {_MOST_HAPPENINGS} of {total:,}"
        self.set_note(older if total > _MOST_HAPPENINGS else "")


def make_header_flat(card: Card) -> None:
    """Give a card the low header of those that stand beside larger ones."""
    assert card.title_label is not None
    card.title_label.setProperty("role", Role.STRONG.value)
    header = card.title_label.parentWidget()
    assert header is not None
    header.setMinimumHeight(Space.WIDE)


def _happening_row(happening: Happening) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 2, 0, 2)
    layout.setSpacing(Space.SMALL)
    when = label(happening.when, Role.CAPTION, Tone.MUTED)
    when.setFixedWidth(_WHEN_WIDTH)
    layout.addWidget(when)
    layout.addWidget(IconLabel(happening.icon, happening.tone, SMALL_SIZE))
    layout.addWidget(ElidedLabel(happening.words, Role.CAPTION), 1)
    row.setAccessibleName(f"{happening.when}: {happening.words}".strip(": "))
    return row
