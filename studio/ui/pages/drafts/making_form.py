"""The form that makes drafts: from which documents, by whom, into which file."""

from typing import Final

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from studio.domain.finding import Finding
from studio.services.drafting import MOST_QUESTIONS, warning_about
from studio.ui.pages.drafts.view_model import (
    ADDRESS,
    HOW_WORDS,
    NO_DOCUMENTS,
    TOKEN_WORDS,
    MakingOrder,
    documents_words,
)
from studio.ui.pages.finding_text import clear, show_findings
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.inputs import ChoiceBox, IntegerField, TextField
from studio.ui.widgets.labels import Role, label, set_look
from studio.ui.widgets.page import TwoColumns

_SIDE_WIDTH: Final = 448
_DOCUMENTS_HEIGHT: Final = 96
_WHOLE: Final = 1000


class MakingForm(QWidget):
    """What is to be made, and how far it is.

    Attributes:
        documents: Files and folders that were chosen.
        add_files, add_folder, clear: Change them.
        maker: Who drafts.
        address, api_model: Of a model behind an address.
        questions: About each passage.
        out, choose_out: The file of drafts.
        make, stop, back: Begin, end, leave.
        review, use: What to do with what was made.

    Signals:
        order_changed: Something of the order was changed.
    """

    order_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.documents: list[str] = []
        columns = TwoColumns(side_width=_SIDE_WIDTH)
        columns.left.addWidget(self._make_documents())
        columns.left.addWidget(self._make_maker())
        columns.left.addStretch(1)
        columns.right.addWidget(self._make_result())
        columns.right.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(columns)
        self.maker.activated.connect(self._on_maker_chosen)
        self.clear.clicked.connect(self._on_clear)
        for field in (self.address, self.api_model, self.out):
            field.textChanged.connect(self.order_changed)
        self.questions.valueChanged.connect(self.order_changed)
        self.show_result("")
        self.show_way("", -1.0)

    def order(self) -> MakingOrder:
        """What is asked for now."""
        chosen = self.maker.value()
        by_address = chosen == ADDRESS
        return MakingOrder(
            documents=tuple(self.documents),
            out=self.out.text(),
            model="" if by_address else chosen,
            address=self.address.text() if by_address else "",
            api_model=self.api_model.text() if by_address else "",
            questions=self.questions.value(),
        )

    def set_makers(self, choices: list[tuple[str, str]], usual: str) -> None:
        """Offer who can draft; who was chosen stays chosen."""
        chosen = self.maker.value() or usual
        self.maker.set_choices(choices)
        self.maker.set_value(chosen)
        self._show_maker()

    def add_documents(self, paths: list[str]) -> None:
        """Take more files or folders, each once."""
        self.documents = list(dict.fromkeys([*self.documents, *paths]))
        self._show_documents()

    def allow(self, refused: str, *, is_making: bool) -> None:
        """Let it begin, or say why not."""
        self.make.setEnabled(not refused and not is_making)
        self.make.setToolTip(refused)
        self.make.setAccessibleDescription(refused)
        self._refused.setText(refused)
        self._refused.setVisible(bool(refused) and not is_making)
        self.stop.setVisible(is_making)
        self._way.setVisible(is_making)
        self._bar.setVisible(is_making)
        fields = (self.add_files, self.add_folder, self.clear, self.maker, self.out)
        more = (self.address, self.api_model, self.questions, self.choose_out)
        for field in (*fields, *more):
            field.setEnabled(not is_making)

    def show_way(self, words: str, share: float) -> None:
        """Tell how far it is; a share below 0 is not known."""
        self._way.setText(words)
        self._bar.setRange(0, _WHOLE if share >= 0 else 0)
        self._bar.setValue(round(share * _WHOLE) if share >= 0 else 0)
        self._bar.setAccessibleDescription(words)

    def show_result(self, words: str, finding: Finding | None = None) -> None:
        """Tell what came of it, and what went wrong."""
        self._result.setText(words or HOW_WORDS)
        clear(self._findings)
        if finding is not None:
            show_findings(self._findings, [finding])

    def offer(self, review: str, *, can_use: bool, is_next: bool = False) -> None:
        """Offer what can be done with the file.

        Args:
            review: The words of the review's button; none hide it.
            can_use: Whether the file can be the project's data.
            is_next: Whether drafts wait to be read.
        """
        if review:
            self.review.setText(review)
        self.review.setVisible(bool(review))
        self.use.setVisible(can_use)
        # Of the page's buttons one asks to be pressed.
        first, then = ButtonKind.PRIMARY.value, ButtonKind.NORMAL.value
        set_look(self.review, "kind", first if is_next else then)
        set_look(self.make, "kind", then if is_next else first)

    def _make_documents(self) -> Card:
        card = Card("Documents")
        self._documents = QPlainTextEdit()
        self._documents.setReadOnly(True)
        self._documents.setTabChangesFocus(True)
        self._documents.setProperty("role", "mono")
        self._documents.setAccessibleName("Chosen documents")
        self._documents.setPlaceholderText(NO_DOCUMENTS)
        self._documents.setFixedHeight(_DOCUMENTS_HEIGHT)
        self.add_files = button("Add files…")
        self.add_folder = button("Add a folder…")
        self.clear = button("Clear", ButtonKind.FLAT)
        row = _row(self.add_files, self.add_folder, self.clear)
        card.body.addWidget(self._documents)
        card.body.addLayout(row)
        self._show_documents()
        return card

    def _make_maker(self) -> Card:
        card = Card("Drafts")
        body = card.body
        self.maker = ChoiceBox(name="Drafted by")
        self._doubt = label("", Role.CAPTION, Tone.WARNING, wraps=True)
        self._at_address = QWidget()
        column = QVBoxLayout(self._at_address)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.SMALL)
        self.address = TextField(name="Address", hint="https://example.org/v1")
        self.api_model = TextField(name="Model’s name there", hint="Its name there")
        column.addWidget(label("Address (OpenAI-compatible)", Role.CAPTION, Tone.MUTED))
        column.addWidget(self.address)
        column.addWidget(label("The model’s name there", Role.CAPTION, Tone.MUTED))
        column.addWidget(self.api_model)
        column.addWidget(label(TOKEN_WORDS, Role.CAPTION, Tone.MUTED, wraps=True))
        self.questions = IntegerField(
            1, MOST_QUESTIONS, name="Questions about each passage"
        )
        self.out = TextField(name="File of drafts")
        self.choose_out = button("Choose…")
        file = QHBoxLayout()
        file.setSpacing(Space.SMALL)
        file.addWidget(self.out, 1)
        file.addWidget(self.choose_out)
        body.addWidget(label("Drafted by", Role.CAPTION, Tone.MUTED))
        body.addWidget(self.maker)
        body.addWidget(self._doubt)
        body.addWidget(self._at_address)
        body.addSpacing(Space.HAIR)
        body.addWidget(label("Questions about each passage", Role.CAPTION, Tone.MUTED))
        body.addWidget(self.questions, 0, Qt.AlignmentFlag.AlignLeft)
        body.addSpacing(Space.HAIR)
        body.addWidget(
            label("File of drafts; they are added to it", Role.CAPTION, Tone.MUTED)
        )
        body.addLayout(file)
        return card

    def _make_result(self) -> Card:
        card = Card("Questions and answers")
        self._result = label("", wraps=True)
        self._findings = QVBoxLayout()
        self._way = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Drafting")
        self._refused = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self.make = button("Make drafts", ButtonKind.PRIMARY)
        self.stop = button("Stop")
        self.back = button("Back to the data")
        self.review = button("Review drafts…")
        self.use = button("Use as the project’s data")
        body = card.body
        body.addWidget(self._result)
        body.addLayout(self._findings)
        body.addWidget(self._way)
        body.addWidget(self._bar)
        body.addSpacing(Space.SMALL)
        body.addLayout(_row(self.review, self.use))
        body.addLayout(_row(self.make, self.stop, self.back))
        body.addWidget(self._refused)
        self.offer("", can_use=False)
        return card

    def _show_documents(self) -> None:
        self._documents.setPlainText(documents_words(self.documents))
        self.clear.setVisible(bool(self.documents))
        self.order_changed.emit()

    def _show_maker(self) -> None:
        chosen = self.maker.value()
        doubt = "" if chosen == ADDRESS else warning_about(chosen)
        self._doubt.setText(doubt)
        self._doubt.setVisible(bool(doubt))
        self._at_address.setVisible(chosen == ADDRESS)
        self.order_changed.emit()

    @Slot()
    def _on_maker_chosen(self) -> None:
        self._show_maker()

    @Slot()
    def _on_clear(self) -> None:
        self.documents = []
        self._show_documents()


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(Space.SMALL)
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch(1)
    return row
