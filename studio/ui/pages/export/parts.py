"""The cards of the Export page."""

from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QProgressBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from studio.ui.icon_names import IconName
from studio.ui.keys import Deed, key_of
from studio.ui.pages.export.view_model import ExportView, MergedFormat, short_path
from studio.ui.pages.run.samples import PromptAnswers
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, ButtonSize, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.inputs import ChoiceBox, TextField
from studio.ui.widgets.labels import ElidedLabel, Role, label, line

_SCALE = 1000
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


class AdapterPart(QWidget):
    """The adapter, or the trained model: where it lies, its size, and a copy of it.

    Attributes:
        save_copy: Asks for a folder.
        note: Where the last copy was made.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._size = label("", Role.ANSWER)
        self._path = ElidedLabel("", Role.CAPTION, Tone.MUTED)
        self.save_copy = button("Save a copy…", icon=IconName.SAVE)
        self.note = ElidedLabel("", Role.CAPTION, Tone.SUCCESS)
        column = _padded(self)
        self._title = label("", Role.STRONG)
        self._use = label("", Role.CAPTION, Tone.MUTED)
        column.addLayout(_headed(self._title, self._use, self._size))
        column.addWidget(self._path)
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        row.addWidget(self.save_copy)
        row.addWidget(self.note, 1)
        column.addLayout(row)

    def show_adapter(self, shown: ExportView) -> None:
        """Show where it lies."""
        self._title.setText("Trained model" if shown.is_whole else "Adapter")
        use = "safetensors, all weights" if shown.is_whole else "for peft and vLLM"
        self._use.setText(use)
        self._size.setText(shown.result_size)
        _show_path(self._path, "", shown.result_path)

    def show_copy(self, path: str) -> None:
        """Tell where the last copy was made; empty before the first."""
        _show_path(self.note, "Copied: ", path)


class MergedPart(QWidget):
    """The merged model: its format, its folder, the merge, and the result.

    Attributes:
        number_format: Of the weights.
        change_folder: Asks where it shall be written.
        merge: Begins.
        cancel: Ends the merge under way.
        open_folder: Shows the merged model's folder.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._size = label("", Role.ANSWER)
        choices = [(choice.value, choice.words) for choice in MergedFormat]
        self.number_format = ChoiceBox(choices, name="Format of the merged weights")
        self.change_folder = button("Change folder…", ButtonKind.FLAT)
        self._target = ElidedLabel("", Role.CAPTION, Tone.MUTED)
        self._need = label("", Role.CAPTION, Tone.MUTED)
        self.merge = button(
            "Merge", ButtonKind.PRIMARY, IconName.EXPORT, size=ButtonSize.LARGE
        )
        self._refused = label("", Role.CAPTION, Tone.NORMAL, wraps=True)
        self._result = ElidedLabel("", Role.CAPTION, Tone.SUCCESS)
        self.open_folder = button("Open folder", icon=IconName.FOLDER)
        self._make_progress()
        self._lay_out()
        self.show_progress(None)

    def show_merged(self, shown: ExportView, result: str) -> None:
        """Show what is there and what can be made.

        Args:
            shown: The page's words.
            result: Where the newest merged model lies; empty without one.
        """
        self._size.setText(shown.merged_size)
        _show_path(self._target, "Into ", shown.target)
        self._need.setText(shown.need)
        self.merge.setEnabled(not shown.merge_refused)
        self._refused.setText(shown.merge_refused)
        self._refused.setVisible(bool(shown.merge_refused) and self.cancel.isHidden())
        _show_path(self._result, "", result)
        self._result.setVisible(bool(result))
        self.open_folder.setVisible(bool(result))

    def show_progress(self, words: str | None, share: float = -1.0) -> None:
        """Show what the engine is doing; None when it isn't merging."""
        working = words is not None
        at_work: tuple[QWidget, ...] = (self._doing, self._bar, self.cancel)
        at_rest: tuple[QWidget, ...] = (
            self.merge,
            self.change_folder,
            self.number_format,
        )
        for widget in at_work:
            widget.setVisible(working)
        for widget in at_rest:
            widget.setVisible(not working)
        self._doing.setText(words or "")
        self._bar.setValue(round(max(0.0, share) * _SCALE))
        self._bar.setAccessibleDescription(words or "")

    def _make_progress(self) -> None:
        self._doing = label("", Role.STRONG)
        self._bar = QProgressBar()
        self._bar.setRange(0, _SCALE)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of the merge")
        self.cancel = button("Cancel")

    def _lay_out(self) -> None:
        column = _padded(self)
        title = label("Merged model", Role.STRONG)
        use = label("safetensors, needs no adapter", Role.CAPTION, Tone.MUTED)
        column.addLayout(_headed(title, use, self._size))
        result = QHBoxLayout()
        result.setSpacing(Space.SMALL)
        result.addWidget(self._result, 1)
        result.addWidget(self.open_folder)
        column.addLayout(result)
        choice = QHBoxLayout()
        choice.addWidget(self.number_format)
        choice.addStretch(1)
        choice.addWidget(self.change_folder)
        column.addLayout(choice)
        column.addWidget(self._target)
        column.addWidget(self._need)
        column.addWidget(self.merge)
        column.addWidget(self._refused)
        doing = QHBoxLayout()
        doing.addWidget(self._doing)
        doing.addStretch(1)
        doing.addWidget(self.cancel)
        column.addLayout(doing)
        column.addWidget(self._bar)
        column.addStretch(1)


class BeforeAndAfter(Card):
    """The run's own prompts, answered before and after training.

    Attributes:
        prompts: Chooses the prompt.
        before, after: The two answers.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("What it answers", "the run’s own prompts", parent=parent)
        self._shown: tuple[PromptAnswers, ...] = ()
        self.prompts = ChoiceBox(name="Prompt")
        self.before = AnswerPanel("Before training")
        self.after = AnswerPanel("After training")
        self._none = label("This run asked no prompts.", tone=Tone.MUTED)
        self.body.addWidget(self._none)
        self.body.addWidget(self.prompts)
        answers = QHBoxLayout()
        answers.setSpacing(Space.LARGE)
        answers.addWidget(self.before)
        answers.addWidget(self.after)
        self.body.addLayout(answers, 1)
        self.prompts.currentIndexChanged.connect(self._on_prompt_changed)

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


def _show_path(where: ElidedLabel, words: str, path: str) -> None:
    """Show the end of a path, which tells more than its beginning."""
    where.set_text(f"{words}{short_path(path)}" if path else "")
    where.setToolTip(path)
    where.setAccessibleName(f"{words}{path}")


def _headed(title: QLabel, caption: QLabel, at_right: QWidget) -> QHBoxLayout:
    texts = QVBoxLayout()
    texts.setSpacing(2)
    texts.addWidget(title)
    texts.addWidget(caption)
    row = QHBoxLayout()
    row.addLayout(texts, 1)
    row.addWidget(at_right)
    return row


def _padded(widget: QWidget) -> QVBoxLayout:
    column = QVBoxLayout(widget)
    column.setContentsMargins(Space.LARGE, Space.MEDIUM, Space.LARGE, Space.MEDIUM)
    column.setSpacing(Space.SMALL)
    return column


def result_card() -> tuple[Card, AdapterPart, MergedPart]:
    """The card of what the run left and what can be made of it."""
    card = Card("What it made", divided=True, flush=True)
    adapter, merged = AdapterPart(), MergedPart()
    card.body.setSpacing(0)
    card.body.addWidget(adapter)
    card.body.addWidget(line())
    card.body.addWidget(merged, 1)
    return card, adapter, merged
