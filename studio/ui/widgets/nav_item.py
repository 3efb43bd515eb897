"""One item of the side nav: icon, name, and its present answer at the right."""

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QEnterEvent, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget
from typing_extensions import override

from studio.ui.fonts import REGULAR, SEMI_BOLD, sans
from studio.ui.icons import SIZE, SMALL_SIZE, IconName, paint_icon
from studio.ui.palette import current_tokens
from studio.ui.tokens import Height, PointSize, Radius, Tokens

_TEXT_LEFT: Final = 40
_ICON_LEFT: Final = 10
_PADDING: Final = 10
_MARK_WIDTH: Final = 3


class NavItem(QAbstractButton):
    """A page in the side nav.

    Attributes:
        key: The page's key.
        caption: The page's present answer.
        needs_attention: A warning icon stands in the caption's place.
    """

    def __init__(
        self, key: str, title: str, icon: IconName, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.key = key
        self.caption = ""
        self.needs_attention = False
        self._icon = icon
        self._folded = False
        self.setText(title)
        self.setCheckable(True)
        self.setAutoExclusive(True)
        self.setFixedHeight(Height.ROW)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self._tell_name()

    def set_caption(self, caption: str) -> None:
        """Show the page's present answer."""
        self.caption = caption
        self._tell_name()
        self.update()

    def set_attention(self, *, needed: bool) -> None:
        """Show a warning in place of the answer, or take it back."""
        self.needs_attention = needed
        self._tell_name()
        self.update()

    def set_folded(self, *, folded: bool) -> None:
        """Show only the icon; the name and the answer move to the tooltip."""
        self._folded = folded
        self._tell_name()
        self.update()

    @override
    def sizeHint(self) -> QSize:
        return QSize(_TEXT_LEFT, Height.ROW)

    @override
    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.update()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tokens = current_tokens()
        self._paint_ground(painter, tokens)
        ink = tokens.accent if self.isChecked() else tokens.muted
        if self.isChecked() and self._folded:
            ink = tokens.accent
        top = (self.height() - SIZE) / 2
        left = (self.width() - SIZE) / 2 if self._folded else _ICON_LEFT
        paint_icon(painter, self._icon, ink, QRectF(left, top, SIZE, SIZE))
        if not self._folded:
            self._paint_texts(painter, tokens)

    def _paint_ground(self, painter: QPainter, tokens: Tokens) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        rect = QRectF(self.rect())
        if self.isChecked():
            painter.setBrush(QColor(tokens.selection))
            painter.drawRoundedRect(rect, Radius.CARD, Radius.CARD)
            painter.setBrush(QColor(tokens.accent))
            mark = QRectF(0, 8, _MARK_WIDTH, rect.height() - 16)
            painter.drawRoundedRect(mark, 1.5, 1.5)
        elif self.underMouse():
            painter.setBrush(QColor(tokens.sunken))
            painter.drawRoundedRect(rect, Radius.CARD, Radius.CARD)

    def _paint_texts(self, painter: QPainter, tokens: Tokens) -> None:
        weight = SEMI_BOLD if self.isChecked() else REGULAR
        font = sans(PointSize.BODY, weight)
        name_width = QFontMetricsF(font).horizontalAdvance(self.text())
        rect = QRectF(self.rect()).adjusted(_TEXT_LEFT, 0, -_PADDING, 0)
        painter.setFont(font)
        painter.setPen(QColor(tokens.text))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(rect, middle | Qt.AlignmentFlag.AlignLeft, self.text())
        if self.needs_attention:
            top = (self.height() - SMALL_SIZE) / 2
            place = QRectF(rect.right() - SMALL_SIZE, top, SMALL_SIZE, SMALL_SIZE)
            paint_icon(painter, IconName.WARNING, tokens.warning, place)
            return
        font = sans(PointSize.CAPTION)
        room = rect.width() - name_width - 8
        caption = QFontMetricsF(font).elidedText(
            self.caption, Qt.TextElideMode.ElideRight, room
        )
        painter.setFont(font)
        painter.setPen(QColor(tokens.muted))
        painter.drawText(rect, middle | Qt.AlignmentFlag.AlignRight, caption)

    def _tell_name(self) -> None:
        parts = [self.text()]
        if self.caption:
            parts.append(self.caption)
        if self.needs_attention:
            parts.append("needs attention")
        words = ", ".join(parts)
        self.setAccessibleName(words)
        self.setToolTip(words if self._folded else "")
