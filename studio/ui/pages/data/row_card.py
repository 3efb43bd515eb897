"""The card of one row: what the model reads of it, and which of it is learnt."""

from typing import Final

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.token_view import TokenUse, TokenView
from studio.ui.pages.data.chat_text import ChatText
from studio.ui.pages.data.view_model import chat_title
from studio.ui.palette import current_tokens
from studio.ui.text import percent
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.card import Card
from studio.ui.widgets.labels import Role, label
from studio.ui.widgets.token_pieces import MOST_TOKENS, Look, counts_of
from studio.ui.widgets.token_view import TokenText

_LEAST_TEXT: Final = 120
_SWATCH: Final = QSize(16, 12)
_NAMES: Final = {
    Look.TRAINED: "trained",
    Look.READ: "read, not trained",
    Look.MARK: "format mark",
    Look.CUT: "cut off",
}


class LookSwatch(QWidget):
    """How tokens of one kind are drawn."""

    def __init__(self, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look = look
        self.setFixedSize(_SWATCH)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter, tokens = QPainter(self), current_tokens()
        rect = QRectF(self.rect())
        if self._look is Look.TRAINED:
            painter.fillRect(rect, QColor(tokens.selection))
            painter.fillRect(rect.adjusted(0, 10, 0, 0), QColor(tokens.accent))
        elif self._look is Look.CUT:
            painter.fillRect(rect, QColor(tokens.sunken))
            painter.fillRect(QRectF(2, 5, 12, 1), QColor(tokens.muted))
        elif self._look is Look.MARK:
            pen = QPen(QColor(tokens.border_strong), 1)
            pen.setDashPattern([3, 2])
            painter.setPen(pen)
            painter.drawRect(rect.adjusted(0.5, 0.5, -0.5, -0.5))
        else:
            painter.fillRect(QRectF(2, 5, 12, 2), QColor(tokens.muted))


class Legend(QWidget):
    """The kinds of tokens with their counts, which add up to the row's."""

    def __init__(self) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Space.HAIR)
        self._entries = {}
        for look in Look:
            words = label("", Role.CAPTION)
            swatch = LookSwatch(look)
            row.addWidget(swatch)
            row.addWidget(words)
            row.addSpacing(Space.SMALL)
            self._entries[look] = swatch, words
        row.addStretch(1)

    def show_counts(self, counts: dict[Look, int], *, held_out: bool) -> None:
        """Tell how many tokens look so; kinds without any are left out."""
        for look, (swatch, words) in self._entries.items():
            name = _NAMES[look]
            if look is Look.TRAINED and held_out:
                name = "measured"
            words.setText(f"{name} {counts[look]:,}")
            for part in (swatch, words):
                part.setVisible(bool(counts[look]))

    def words(self) -> str:
        """The legend as it is read."""
        shown = (words for _, words in self._entries.values() if not words.isHidden())
        return ", ".join(words.text() for words in shown)


class RowCard(Card):
    """The selected row: its tokens, or its turns while no model counts them.

    Attributes:
        tokens: Token by token.
        turns: Turn by turn.
        legend: What the tokens' looks mean.
        note: What becomes of the row.
    """

    def __init__(self) -> None:
        super().__init__(chat_title(None))
        self.legend = Legend()
        self.tokens = TokenText()
        self.turns = ChatText()
        self.note = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        column = QVBoxLayout()
        column.setSpacing(Space.SMALL)
        for text in (self.tokens, self.turns):
            policy = QSizePolicy.Policy
            text.setSizePolicy(policy.Expanding, policy.Ignored)
            text.setMinimumHeight(_LEAST_TEXT)
        column.addWidget(self.legend)
        column.addWidget(self.tokens, 1)
        column.addWidget(self.turns, 1)
        column.addWidget(self.note)
        self.body.addLayout(column)
        self.show_tokens(None)

    def show_tokens(self, view: TokenView | None, *, held_out: bool = False) -> None:
        """Show a row's tokens; its turns again with None."""
        self.tokens.set_view(view, held_out=held_out)
        self.legend.setVisible(view is not None)
        self.tokens.setVisible(view is not None)
        self.turns.setVisible(view is None)
        if view is None:
            return
        self.legend.show_counts(counts_of(view), held_out=held_out)
        self.tokens.setAccessibleName(
            f"Tokens of row {view.line:,}: {self.legend.words()}"
        )
        self.note.setText(_note(view, held_out=held_out))


def _note(view: TokenView, *, held_out: bool) -> str:
    total, trained = len(view.tokens), view.count(TokenUse.TRAINED)
    if view.refusal:
        return f"Nothing of this row is trained: it {view.refusal}."
    use = "measured" if held_out else "trained"
    said = f"{percent(trained / max(1, total), 1)} of the row’s {total:,} tokens {use}."
    if held_out:
        said = f"Held back: {said}"
    if total > MOST_TOKENS:
        said = f"{said} The first {MOST_TOKENS:,} are shown."
    return said
