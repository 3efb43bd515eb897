"""A row of “Why this recipe”: selecting it outlines its part of the memory bar."""

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QFocusEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget
from typing_extensions import override

from studio.ui.pages.recipe.reasons import ReasonRow
from studio.ui.palette import current_tokens
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.labels import Role, label
from studio.ui.widgets.memory_bar_state import Segment

_ALL = 1_000


class ReasonWidget(QWidget):
    """What was chosen, why, and its effect at the right.

    Attributes:
        row: What it says.

    Signals:
        segment_spoken_of: The `Segment` that the row shapes, or None when it is left.
    """

    segment_spoken_of = Signal(object)

    def __init__(self, row: ReasonRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.row = row
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        effect = f", {row.effect}" if row.effect else ""
        self.setAccessibleName(f"{row.what}{effect}")
        self.setAccessibleDescription(row.why)
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(label(row.what, Role.STRONG, wraps=True))
        if row.why:
            texts.addWidget(label(row.why, Role.CAPTION, Tone.MUTED, wraps=True))
        effects = label(row.effect, Role.ANSWER, row.tone)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(
            Space.LARGE, Space.MEDIUM - 2, Space.LARGE, Space.MEDIUM - 2
        )
        layout.addLayout(texts, _ALL)
        # Texts stop growing in a wide window; the effect stays at the right edge.
        layout.addStretch(1)
        layout.addWidget(effects, 0, Qt.AlignmentFlag.AlignTop)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = current_tokens()
        painter = QPainter(self)
        if self.hasFocus():
            painter.fillRect(self.rect(), QColor(tokens.selection))
        elif self.underMouse():
            painter.fillRect(self.rect(), QColor(tokens.raised))
        last = self.rect().adjusted(0, self.height() - 1, 0, 0)
        painter.fillRect(last, QColor(tokens.border))

    @override
    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self._speak(self.row.segment)

    @override
    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._speak(None)

    @override
    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self._speak(self.row.segment)

    @override
    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._speak(self.row.segment if self.hasFocus() else None)

    def _speak(self, segment: Segment | None) -> None:
        self.segment_spoken_of.emit(segment)
        self.update()
