"""The memory of one training step, drawn: allocated as an area, reserved as a line."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from studio.domain.memory.timeline import Timeline
from studio.domain.memory.timeline_layout import (
    TOP,
    Point,
    TimelineLayout,
    laid_out,
    named_bands,
)
from studio.ui.fonts import MEDIUM, sans
from studio.ui.palette import current_tokens
from studio.ui.text import gib
from studio.ui.tokens import PointSize, Tokens

_NAME_WIDTH: Final = 84
_LINE_HEIGHT: Final = 16
_AREA_ALPHA: Final = 0.5
_DOT: Final = 3.5
_RIGHT: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_CENTRE: Final = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter


class StepTimeline(QWidget):
    """A predicted step; the highest point is marked and named.

    Attributes:
        timeline: What is drawn; None draws nothing.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.timeline: Timeline | None = None
        policy = QSizePolicy.Policy.Expanding
        self.setSizePolicy(policy, policy)

    def set_timeline(self, timeline: Timeline | None) -> None:
        """Draw another step."""
        self.timeline = timeline
        self.setAccessibleName("Memory of one training step")
        self.setAccessibleDescription(_description(timeline) if timeline else "")
        self.update()

    @override
    def sizeHint(self) -> QSize:
        return QSize(400, 180)

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(240, 120)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        if self.timeline is None:
            return
        painter, tokens = QPainter(self), current_tokens()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        layout = laid_out(self.timeline, self.width(), self.height())
        painter.setFont(sans(PointSize.CAPTION))
        _paint_axis(painter, layout, tokens)
        _paint_held(painter, layout, tokens)
        _paint_phases(painter, layout, tokens)
        _paint_peak(painter, layout, tokens)


def _description(timeline: Timeline) -> str:
    """The picture in words: how high each phase reaches."""
    highest: dict[str, int] = {}
    for phase, first, last in timeline.stretches():
        most = max(timeline.allocated[first:last])
        highest[phase] = max(most, highest.get(phase, 0))
    told = (f"{phase} up to {gib(most)} GiB" for phase, most in highest.items())
    return f"Allocated: {', '.join(told)}. Reserved {gib(max(timeline.reserved))} GiB"


def _paint_axis(painter: QPainter, layout: TimelineLayout, tokens: Tokens) -> None:
    for tick in layout.ticks:
        line = QRectF(layout.left, round(tick.y), layout.right - layout.left, 1)
        painter.fillRect(line, QColor(tokens.chart_grid))
        painter.setPen(QColor(tokens.muted))
        words = QRectF(0, tick.y - _LINE_HEIGHT / 2, layout.left - 6, _LINE_HEIGHT)
        painter.drawText(words, _RIGHT, tick.words)


def _paint_held(painter: QPainter, layout: TimelineLayout, tokens: Tokens) -> None:
    area = QColor(tokens.mem_activations)
    area.setAlphaF(_AREA_ALPHA)
    outline = _points(layout.allocated)
    ground = [QPointF(layout.right, layout.bottom), QPointF(layout.left, layout.bottom)]
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(area)
    painter.drawPolygon(QPolygonF([*outline, *ground]))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(tokens.mem_activations), 1))
    painter.drawPolyline(outline)
    pen = QPen(QColor(tokens.text), 1)
    pen.setDashPattern([5, 3])
    painter.setPen(pen)
    painter.drawPolyline(_points(layout.reserved))


def _paint_phases(painter: QPainter, layout: TimelineLayout, tokens: Tokens) -> None:
    for band in layout.bands:
        line = QRectF(round(band.left), TOP, 1, layout.bottom - TOP + 6)
        painter.fillRect(line, QColor(tokens.border_strong))
    painter.setPen(QColor(tokens.muted))
    for band in named_bands(layout.bands, _NAME_WIDTH):
        middle = (band.left + band.right) / 2
        middle = min(middle, layout.right - _NAME_WIDTH / 2)
        rect = QRectF(middle - _NAME_WIDTH / 2, layout.bottom + 8, _NAME_WIDTH, 16)
        painter.drawText(rect, _CENTRE, band.phase)


def _paint_peak(painter: QPainter, layout: TimelineLayout, tokens: Tokens) -> None:
    painter.setPen(QPen(QColor(tokens.surface), 1.5))
    painter.setBrush(QColor(tokens.text))
    painter.drawEllipse(QPointF(*layout.peak), _DOT, _DOT)
    painter.setFont(sans(PointSize.CAPTION, MEDIUM))
    painter.setPen(QColor(tokens.text))
    rect = QRectF(layout.left, 2, layout.right - layout.left, _LINE_HEIGHT)
    advance = painter.fontMetrics().horizontalAdvance(layout.peak_words)
    painter.drawText(rect, _RIGHT, layout.peak_words)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.drawEllipse(QPointF(layout.right - advance - 10, 10), _DOT, _DOT)


def _points(outline: Sequence[Point]) -> list[QPointF]:
    return [QPointF(x, y) for x, y in outline]
