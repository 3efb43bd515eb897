"""The review: passage, question and answer of one draft after the other."""

from typing import Final

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.services.draft_review import DraftReview, Review
from studio.ui.actions import bind_keys
from studio.ui.keys import Deed
from studio.ui.pages.drafts.view_model import (
    ALL,
    count_words,
    filter_choices,
    none_words,
    origin_words,
    state_words,
)
from studio.ui.pages.finding_text import clear, show_findings
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.inputs import ChoiceBox
from studio.ui.widgets.labels import Role, label, set_look
from studio.ui.widgets.page import TwoColumns

_PASSAGE_WIDTH: Final = 448
_TEXT_HEIGHT: Final = 96
_KEYS: Final = (
    "Keys: A accepts, R rejects, Left and Right go to another draft, F2 edits, Escape "
    "ends editing."
)


class ReviewPanel(QWidget):
    """Goes through drafts; every decision is on the disk before the next one shows.

    Attributes:
        show_only: Which drafts are gone through.
        passage: What the draft was made from.
        question, answer: Its words, which can be edited.
        accept, reject, earlier, later, back, use: What can be done.

    Signals:
        left: The review was left.
        use_chosen(str): The file shall be the project's data.
    """

    left = Signal()
    use_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._review: DraftReview | None = None
        self._places: list[int] = []
        self._at = 0
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Review of drafts")
        columns = TwoColumns(side_width=_PASSAGE_WIDTH)
        columns.left.addWidget(self._make_draft(), 1)
        columns.right.addWidget(self._make_passage(), 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(columns)
        self._connect()

    @property
    def place(self) -> int | None:
        """Of the draft that is shown, in its file; None when there is none."""
        return self._places[self._at] if self._at < len(self._places) else None

    def begin(self, review: DraftReview) -> None:
        """Go through the open drafts of a file; of all when none is open."""
        self._review = review
        self._show_trouble(None)
        counts = review.counts()
        self.show_only.set_choices(filter_choices(counts))
        self.show_only.set_value(Review.OPEN.value if counts[Review.OPEN] else ALL)
        self._show_chosen()
        self.setFocus()

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self.question.hasFocus() or self.answer.hasFocus():
            self.setFocus()
        else:
            self._on_back()

    def _make_draft(self) -> Card:
        self._card = card = Card("Draft", " ")
        self.show_only = ChoiceBox(name="Drafts to go through")
        self._counts = label("", Role.CAPTION, Tone.MUTED)
        self._state = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self.question = _text("Question", editable=True)
        self.answer = _text("Answer", editable=True)
        self._trouble = QVBoxLayout()
        self._done = label("", wraps=True)
        self.accept = button("Accept", ButtonKind.PRIMARY)
        self.reject = button("Reject")
        self.earlier = button("Previous")
        self.later = button("Next")
        self.use = button("Use as the project’s data")
        self.back = button("Leave the review")
        body = card.body
        body.addLayout(_row(self.show_only, self._counts))
        body.addWidget(self._done)
        body.addWidget(self._state)
        self._words = (
            label("Question", Role.CAPTION, Tone.MUTED),
            label("Answer", Role.CAPTION, Tone.MUTED),
        )
        body.addWidget(self._words[0])
        body.addWidget(self.question, 1)
        body.addWidget(self._words[1])
        body.addWidget(self.answer, 2)
        body.addLayout(self._trouble)
        body.addLayout(_row(self.accept, self.reject, self.earlier, self.later))
        self._keys = label(_KEYS, Role.CAPTION, Tone.MUTED, wraps=True)
        body.addWidget(self._keys)
        body.addSpacing(Space.SMALL)
        body.addLayout(_row(self.use, self.back))
        body.addStretch(0)  # takes the room where the texts are hidden
        return card

    def _make_passage(self) -> Card:
        self._passage_card = card = Card("Passage", " ")
        self.passage = _text("Passage", editable=False)
        self._origin = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        card.body.addWidget(self._origin)
        card.body.addWidget(self.passage, 1)
        return card

    def _connect(self) -> None:
        self.show_only.activated.connect(self._on_filter_chosen)
        for control, slot in (
            (self.accept, self._on_accept),
            (self.reject, self._on_reject),
            (self.earlier, self._on_earlier),
            (self.later, self._on_later),
            (self.back, self._on_back),
            (self.use, self._on_use),
        ):
            control.clicked.connect(slot)
        bind_keys(self, Deed.ACCEPT, self._on_accept)
        bind_keys(self, Deed.REJECT, self._on_reject)
        bind_keys(self, Deed.EARLIER, self._on_earlier)
        bind_keys(self, Deed.LATER, self._on_later)
        bind_keys(self, Deed.EDIT_DRAFT, self._on_edit)

    def _chosen(self) -> Review | None:
        value = self.show_only.value()
        return None if value == ALL else Review(value)

    def _show_chosen(self) -> None:
        if self._review is not None:
            self._places, self._at = self._review.places(self._chosen()), 0
        self._show()

    def _show(self) -> None:
        review, place = self._review, self.place
        if review is None:
            return
        counts = review.counts()
        chosen = self.show_only.value()
        self.show_only.set_choices(filter_choices(counts))
        self._counts.setText(count_words(counts))
        has_draft = place is not None
        self._done.setText("" if has_draft else none_words(chosen))
        self._done.setVisible(not has_draft)
        parts = (self.question, self.answer, *self._words, self._state, self._keys)
        for part in (*parts, self.accept, self.reject, self.earlier, self.later):
            part.setVisible(has_draft)
        self._passage_card.setVisible(has_draft)
        # One button of the page asks to be pressed.
        last = ButtonKind.NORMAL if has_draft else ButtonKind.PRIMARY
        set_look(self.use, "kind", last.value)
        if place is None:
            self._card.set_note("")
            return
        self._show_draft(review, place)

    def _show_draft(self, review: DraftReview, place: int) -> None:
        draft, passage = review[place], review.passage(place)
        self._card.set_note(f"{self._at + 1:,} of {len(self._places):,}")
        self._state.setText(state_words(draft))
        self._state.setVisible(bool(state_words(draft)))
        self.question.setPlainText(draft.question)
        self.answer.setPlainText(draft.answer)
        self.passage.setPlainText(passage.text or passage.missing)
        self._origin.setText(origin_words(draft, passage.heading))
        self.earlier.setEnabled(self._at > 0)
        self.later.setEnabled(self._at + 1 < len(self._places))

    def _show_trouble(self, finding: Finding | None) -> None:
        clear(self._trouble)
        if finding is not None:
            show_findings(self._trouble, [finding])

    def _keep(self, decision: Review | None) -> bool:
        """Save the draft that is shown; False when that was refused."""
        review, place = self._review, self.place
        if review is None or place is None:
            return True
        words = self.question.toPlainText(), self.answer.toPlainText()
        try:
            review.decide(place, *words, decision or review[place].review)
        except StudioError as refused:
            self._show_trouble(refused.finding)
            return False
        self._show_trouble(None)
        return True

    def _decide(self, decision: Review) -> None:
        if self.place is None or not self._keep(decision):
            return
        if self._at + 1 < len(self._places):
            self._at += 1
            self._show()
        elif self._chosen() is None:
            self._show()
        else:
            self._show_chosen()  # those that were passed over, or none
        self.setFocus()

    def _go(self, by: int) -> None:
        if 0 <= self._at + by < len(self._places) and self._keep(None):
            self._at += by
            self._show()

    @Slot()
    def _on_accept(self) -> None:
        self._decide(Review.ACCEPTED)

    @Slot()
    def _on_reject(self) -> None:
        self._decide(Review.REJECTED)

    @Slot()
    def _on_earlier(self) -> None:
        self._go(-1)

    @Slot()
    def _on_later(self) -> None:
        self._go(1)

    @Slot()
    def _on_edit(self) -> None:
        second = self.answer if self.question.hasFocus() else self.question
        if self.place is not None:
            second.setFocus()

    @Slot()
    def _on_filter_chosen(self) -> None:
        if self._keep(None):
            self._show_chosen()

    @Slot()
    def _on_back(self) -> None:
        if self._keep(None):
            self.left.emit()

    @Slot()
    def _on_use(self) -> None:
        if self._review is not None and self._keep(None):
            self.use_chosen.emit(str(self._review.path))


def _text(name: str, *, editable: bool) -> QPlainTextEdit:
    text = QPlainTextEdit()
    text.setReadOnly(not editable)
    text.setTabChangesFocus(True)
    text.setAccessibleName(name)
    text.setMinimumHeight(_TEXT_HEIGHT)
    policy = QSizePolicy.Policy
    text.setSizePolicy(policy.Expanding, policy.Ignored)  # the page shan't scroll too
    return text


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(Space.SMALL)
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch(1)
    return row
