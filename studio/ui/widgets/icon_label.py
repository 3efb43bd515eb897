"""An icon that is a picture, not a control."""

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget
from typing_extensions import override

from studio.ui.icons import SMALL_SIZE, IconName, paint_icon
from studio.ui.palette import current_tokens
from studio.ui.tokens import Tone, ink_for


class IconLabel(QWidget):
    """An icon in a tone's ink; the words stand beside it."""

    def __init__(
        self,
        name: IconName,
        tone: Tone = Tone.NORMAL,
        size: int = SMALL_SIZE,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._name = name
        self._tone = tone
        self.setFixedSize(QSize(size, size))

    def set_icon(self, name: IconName, tone: Tone = Tone.NORMAL) -> None:
        """Show another icon."""
        self._name, self._tone = name, tone
        self.update()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        colour = ink_for(current_tokens(), self._tone)
        paint_icon(painter, self._name, colour, QRectF(self.rect()))
