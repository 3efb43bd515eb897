"""The dashed field that says where a file goes; a click or Enter asks for one.

Drops are taken by the window as a whole, so the field itself accepts none.
"""

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget
from typing_extensions import override

from studio.ui.fonts import MEDIUM, sans
from studio.ui.palette import current_tokens
from studio.ui.tokens import PointSize, Radius

_HEIGHT: Final = 88
_LINE: Final = 20


class DropZone(QAbstractButton):
    """Two lines of words in a dashed frame."""

    def __init__(
        self, words: str, caption: str = "", parent: QWidget | None = None
    ) -> None:
        """Make the field.

        Args:
            words: What to do.
            caption: What is accepted.
            parent: The parent widget.
        """
        super().__init__(parent)
        self.setText(words)
        self._caption = caption
        self.setAccessibleName(f"{words}, or choose one")
        self.setAccessibleDescription(caption)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @override
    def sizeHint(self) -> QSize:
        return QSize(_HEIGHT, _HEIGHT)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tokens = current_tokens()
        lit = self.underMouse() or self.isDown()
        pen = QPen(QColor(tokens.text if lit else tokens.border_strong), 1)
        pen.setDashPattern([4, 3])
        painter.setPen(pen)
        painter.setBrush(QColor(tokens.raised))
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(rect, Radius.CONTROL, Radius.CONTROL)
        middle = rect.center().y()
        upper = QRectF(rect.left(), middle - _LINE, rect.width(), _LINE)
        painter.setFont(sans(PointSize.BODY, MEDIUM))
        painter.setPen(QColor(tokens.text))
        painter.drawText(upper, Qt.AlignmentFlag.AlignCenter, self.text())
        painter.setFont(sans(PointSize.CAPTION))
        painter.setPen(QColor(tokens.muted))
        lower = upper.translated(0, _LINE)
        painter.drawText(lower, Qt.AlignmentFlag.AlignCenter, self._caption)
