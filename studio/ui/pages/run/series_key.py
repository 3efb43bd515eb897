"""A chart's key: the line as it is drawn, and its name."""

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QWidget
from typing_extensions import override

from studio.ui.palette import current_tokens
from studio.ui.tokens import Space
from studio.ui.widgets.labels import Role, label

_WIDTH: Final = 24
_MARK: Final = 4.0


class _LineSample(QWidget):
    """A short piece of a chart's line."""

    def __init__(self, *, held_out: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._held_out = held_out
        self.setFixedSize(QSize(_WIDTH, 16))

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = current_tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = QColor(tokens.series_2 if self._held_out else tokens.series_1)
        pen = QPen(colour, 2)
        middle = self.height() / 2
        if self._held_out:
            pen.setDashPattern([3.5, 2.0])
        painter.setPen(pen)
        painter.drawLine(QPointF(0, middle), QPointF(self.width(), middle))
        if self._held_out:
            painter.setPen(QPen(colour, 2, Qt.PenStyle.SolidLine))
            painter.setBrush(QColor(tokens.surface))
            left = self.width() / 2 - _MARK
            mark = QRectF(left, middle - _MARK, 2 * _MARK, 2 * _MARK)
            painter.drawEllipse(mark.adjusted(1, 1, -1, -1))


class LossKey(QWidget):
    """The two lines of the loss chart and their names."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Space.SMALL)
        row.addWidget(_LineSample(held_out=False))
        row.addWidget(label("training, smoothed", Role.CAPTION))
        row.addSpacing(Space.SMALL)
        row.addWidget(_LineSample(held_out=True))
        row.addWidget(label("held-out", Role.CAPTION))
