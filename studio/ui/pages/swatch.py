"""The small square that ties a figure to its segment of the memory bar."""

from typing import Final

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget
from typing_extensions import override

from studio.ui.palette import current_tokens
from studio.ui.widgets.memory_bar_paint import paint_swatch
from studio.ui.widgets.memory_bar_state import Segment

_EDGE: Final = 12


class Swatch(QWidget):
    """A segment's colour; the words stand beside it."""

    def __init__(self, segment: Segment, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._segment = segment
        self.setFixedSize(QSize(_EDGE, _EDGE))

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        rect = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        paint_swatch(QPainter(self), rect, current_tokens(), self._segment)
