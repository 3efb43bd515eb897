"""The form that evaluates a run: with which rows, how far it is, what was kept."""

from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from studio.domain.finding import Finding
from studio.ui.pages.evaluation.view_model import OWN_ROWS
from studio.ui.pages.finding_text import clear, show_findings
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.inputs import IntegerField, TextField
from studio.ui.widgets.labels import Role, label

_WHOLE: Final = 1000
_MOST_ROWS: Final = 1_000_000
_MOST_TOKENS: Final = 8192
_USUAL_TOKENS: Final = 128


class EvaluationForm(Card):
    """What is to be measured, and how far it is.

    Attributes:
        data, choose: The file of rows.
        rows: At most so many inputs; 0 for all.
        most_tokens: Of an answer.
        lowercase: Whether BLEU looks at no capitals.
        evaluate, stop: Begin and end.

    Signals:
        order_changed: Something of the order was changed.
    """

    order_changed = Signal()

    def __init__(self) -> None:
        super().__init__("Measure with")
        self._make_fields()
        self._way = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress of the evaluation")
        self._refused = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self._result = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self._findings = QVBoxLayout()
        self._findings.setSpacing(Space.SMALL)
        self.evaluate = button("Evaluate", ButtonKind.PRIMARY)
        self.stop = button("Stop")
        self._lay_out()
        self.data.textChanged.connect(self.order_changed)

    def allow(self, refused: str, *, is_measuring: bool) -> None:
        """Let it begin, or say why not."""
        self.evaluate.setEnabled(not refused and not is_measuring)
        self.evaluate.setToolTip(refused)
        self.evaluate.setAccessibleDescription(refused)
        self._refused.setText(refused)
        self._refused.setVisible(bool(refused) and not is_measuring)
        for widget in (self.stop, self._way, self._bar):
            widget.setVisible(is_measuring)
        self._result.setVisible(not is_measuring)
        fields = (self.data, self.choose, self.rows, self.most_tokens, self.lowercase)
        for field in fields:
            field.setEnabled(not is_measuring)

    def show_way(self, words: str, share: float) -> None:
        """Tell how far it is; a share below 0 is not known."""
        self._way.setText(words)
        self._bar.setRange(0, _WHOLE)
        self._bar.setValue(round(max(0.0, share) * _WHOLE))
        self._bar.setAccessibleDescription(words)

    def show_result(self, words: str, finding: Finding | None = None) -> None:
        """Tell what came of it, and what went wrong."""
        self._result.setText(words)
        clear(self._findings)
        if finding is not None:
            show_findings(self._findings, [finding])

    def _make_fields(self) -> None:
        self.data = TextField(name="File of rows", hint=OWN_ROWS)
        self.choose = button("Choose…")
        self.rows = IntegerField(0, _MOST_ROWS, name="At most so many inputs")
        self.rows.setSpecialValueText("All")
        self.rows.setToolTip("Evenly spread over the file; 0 takes all")
        self.most_tokens = IntegerField(
            1, _MOST_TOKENS, name="Longest answer", unit="tokens"
        )
        self.most_tokens.setValue(_USUAL_TOKENS)
        self.lowercase = QCheckBox("BLEU without capitals")

    def _lay_out(self) -> None:
        body = self.body
        file = QHBoxLayout()
        file.setSpacing(Space.SMALL)
        file.addWidget(self.data, 1)
        file.addWidget(self.choose)
        body.addLayout(file)
        numbers = QHBoxLayout()
        numbers.setSpacing(Space.LARGE)
        numbers.addLayout(_captioned("Inputs at most", self.rows))
        numbers.addLayout(_captioned("Longest answer", self.most_tokens))
        numbers.addStretch(1)
        body.addLayout(numbers)
        body.addWidget(self.lowercase)
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        row.addWidget(self.evaluate)
        row.addWidget(self.stop)
        row.addStretch(1)
        body.addLayout(row)
        for widget in (self._way, self._bar, self._refused, self._result):
            body.addWidget(widget)
        body.addLayout(self._findings)
        body.addStretch(1)


def _captioned(caption: str, field: QWidget) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(Space.HAIR)
    column.addWidget(label(caption, Role.CAPTION, Tone.MUTED))
    column.addWidget(field)
    return column
