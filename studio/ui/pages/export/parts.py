"""What models answer, on the Export page: the run's own prompts, and one's own."""

from PySide6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from studio.ui.icon_names import IconName
from studio.ui.keys import Deed, key_of
from studio.ui.pages.run.samples import PromptAnswers
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import button
from studio.ui.widgets.card import Card
from studio.ui.widgets.inputs import ChoiceBox, TextField
from studio.ui.widgets.labels import Role, Sentence, label

_LEAST_ANSWER = 56


class AnswerPanel(QWidget):
    """Whose answer it is, how it came about, and the answer, which scrolls.

    Attributes:
        note: What the model is doing, or when it answered.
        text: The answer.
    """

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.note = label("", Role.CAPTION, Tone.MUTED)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setAccessibleName(f"{title}: answer")
        self.text.setMinimumHeight(_LEAST_ANSWER)
        self.text.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored
        )
        head = QHBoxLayout()
        head.addWidget(label(title, Role.STRONG))
        head.addStretch(1)
        head.addWidget(self.note)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, Space.HAIR, 0, 0)
        column.setSpacing(Space.HAIR)
        column.addLayout(head)
        column.addWidget(self.text, 1)

    def show_answer(self, text: str, note: str = "") -> None:
        """Show an answer, or that there is none yet."""
        self.note.setText(note)
        if text != self.text.toPlainText():
            self.text.setPlainText(text)


class BeforeAndAfter(QWidget):
    """The run's own prompts, answered before and after training.

    Attributes:
        measured: Held-out loss before and after.
        prompts: Chooses the prompt.
        before, after: The two answers.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.measured = Sentence()
        self._shown: tuple[PromptAnswers, ...] = ()
        self.prompts = ChoiceBox(name="Prompt")
        self.before = AnswerPanel("Before training")
        self.after = AnswerPanel("After training")
        self._none = label("This run asked no prompts.", tone=Tone.MUTED)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.SMALL)
        for widget in (self.measured, self._none, self.prompts):
            column.addWidget(widget)
        answers = QHBoxLayout()
        answers.setSpacing(Space.LARGE)
        answers.addWidget(self.before)
        answers.addWidget(self.after)
        column.addLayout(answers, 1)
        self.prompts.currentIndexChanged.connect(self._on_prompt_changed)

    def show_measured(self, words: str) -> None:
        """Show the held-out loss before and after; empty where it wasn't measured."""
        self.measured.set_text(words)
        self.measured.setVisible(bool(words))

    def show_prompts(self, prompts: tuple[PromptAnswers, ...]) -> None:
        """Show another run's prompts."""
        self._shown = prompts
        names = [prompt.prompt for prompt in prompts]
        listed = [self.prompts.itemData(n) for n in range(self.prompts.count())]
        if names != listed:
            self.prompts.set_choices([(name, name) for name in names])
        for widget in (self.prompts, self.before, self.after):
            widget.setVisible(bool(prompts))
        self._none.setVisible(not prompts)
        self._on_prompt_changed()

    def _on_prompt_changed(self) -> None:
        place = self.prompts.currentIndex()
        if not 0 <= place < len(self._shown):
            return
        prompt = self._shown[place]
        before, after = prompt.before, prompt.now
        self.before.show_answer("Not asked." if before is None else before.text)
        if after is None:
            self.after.show_answer("Not asked.")
        else:
            self.after.show_answer(after.text, f"step {after.step:,}")


class TryIt(Card):
    """One prompt, answered by the base and by the tuned model.

    Attributes:
        prompt: What is asked.
        ask, cancel: Begin and end.
        refused: Why nothing can be asked; hidden when it can.
        base, tuned: The two answers.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        note = "always the likeliest word · one model in memory at a time"
        super().__init__("Try it", note, parent=parent)
        self.prompt = TextField(name="Prompt", hint="Ask both models something")
        self.ask = button("Ask both", icon=IconName.CHAT)
        self.ask.setToolTip(key_of(Deed.ASK))
        self.cancel = button("Cancel")
        self.cancel.hide()
        self.refused = label("", Role.CAPTION)
        self.base = AnswerPanel("Before training")
        self.tuned = AnswerPanel("After training")
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        for widget in (self.prompt, self.ask, self.cancel):
            row.addWidget(widget)
        answers = QHBoxLayout()
        answers.setSpacing(Space.LARGE)
        answers.addWidget(self.base)
        answers.addWidget(self.tuned)
        self.body.addLayout(row)
        self.body.addWidget(self.refused)
        self.body.addLayout(answers, 1)

    def show_state(self, refused: str, *, asking: bool) -> None:
        """Show whether something can be asked."""
        self.ask.setVisible(not asking)
        self.ask.setEnabled(not refused)
        self.cancel.setVisible(asking)
        self.prompt.setReadOnly(asking)
        shown = "" if asking else refused
        self.refused.setText(shown)
        self.refused.setVisible(bool(shown))
