"""What stands round the page's memory bar: bracket above, axis and legend below."""

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from studio.ui.fonts import MEDIUM, SEMI_BOLD, sans
from studio.ui.text import GIB, gib
from studio.ui.tokens import PointSize, Tokens
from studio.ui.widgets.memory_bar_layout import ticks_gib
from studio.ui.widgets.memory_bar_paint import BarPicture, paint_swatch
from studio.ui.widgets.memory_bar_state import MemoryBarState, Segment

BRACKET_HEIGHT: Final = 24
LIMIT_ROOM: Final = 8
AXIS_HEIGHT: Final = 26
LEGEND_ROW: Final = 24

_SWATCH: Final = 10
_LEGEND_GAPS: Final = (16, 12, 8)
_LINE_HEIGHT: Final = 16
_RIGHT: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT: Final = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_CENTRE: Final = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """One named figure of the legend and where it stands."""

    segment: Segment
    name: str
    figure: str
    rect: QRectF


def paint_bracket(painter: QPainter, picture: BarPicture) -> None:
    """Draw the band's bracket above the bar, with the peak in words beside it."""
    state = picture.state
    low, high = state.on_card(state.low_bytes), state.on_card(state.high_bytes)
    if low is None or high is None or state.peak_bytes is None or state.measured:
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    left, right, top = picture.x(low), picture.x(high), picture.rect.top()
    painter.setPen(QPen(QColor(picture.tokens.text), 1.5))
    painter.drawPolyline(
        [
            QPointF(left, top - 3),
            QPointF(left, top - 9),
            QPointF(right, top - 9),
            QPointF(right, top - 3),
        ]
    )
    _paint_peak_words(painter, picture, (left, right))
    painter.restore()


def _paint_peak_words(
    painter: QPainter, picture: BarPicture, bracket: tuple[float, float]
) -> None:
    state = picture.state
    words = (
        f"peak {gib(state.peak_bytes or 0)}, "
        f"between {gib(state.low_bytes or 0)} and {gib(state.high_bytes or 0)}"
    )
    font = sans(PointSize.CAPTION, MEDIUM)
    painter.setFont(font)
    width = QFontMetricsF(font).horizontalAdvance(words)
    y = picture.rect.top() - 9 - _LINE_HEIGHT / 2 - 3
    rect = QRectF(bracket[0] - 8 - width, y, width, _LINE_HEIGHT)
    if rect.left() < picture.rect.left():
        rect.moveLeft(bracket[1] + 8)
    painter.drawText(rect, _LEFT, words)


def paint_axis(painter: QPainter, picture: BarPicture) -> None:
    """Draw the ticks in GiB below the bar and name the card's limit."""
    painter.save()
    font = sans(PointSize.CAPTION)
    painter.setFont(font)
    limit_words = f"{picture.state.limit_name} {picture.state.total_figure()}"
    width = QFontMetricsF(font).horizontalAdvance(limit_words)
    right = min(picture.x(picture.state.total_bytes), picture.rect.right())
    y = picture.rect.bottom()
    limit = QRectF(right - width, y + 8, width, _LINE_HEIGHT)
    for place in ticks_gib(picture.state.total_bytes, picture.scale_bytes):
        _paint_axis_tick(painter, picture, place, limit)
    painter.setPen(QColor(picture.tokens.muted))
    painter.drawText(limit, _RIGHT, limit_words)
    painter.restore()


def _paint_axis_tick(
    painter: QPainter, picture: BarPicture, place_gib: float, limit: QRectF
) -> None:
    x, y = picture.x(place_gib * GIB), picture.rect.bottom()
    room = 20.0
    if limit.left() - room < x < limit.right() + room:
        return
    painter.fillRect(QRectF(x, y + 3, 1, 4), QColor(picture.tokens.border_strong))
    painter.setPen(QColor(picture.tokens.muted))
    if place_gib == 0:
        painter.drawText(QRectF(x, y + 8, 60, _LINE_HEIGHT), _LEFT, "0 GiB")
    else:
        words = f"{place_gib:g}"
        painter.drawText(QRectF(x - 30, y + 8, 60, _LINE_HEIGHT), _CENTRE, words)


def legend(state: MemoryBarState, width: float) -> tuple[LegendEntry, ...]:
    """The legend's entries in one row if they fit, else wrapped to `width` pixels."""
    for gap in _LEGEND_GAPS:
        entries = _legend_with(state, width, gap)
        if not entries or entries[-1].rect.top() == 0:
            return entries
    return _legend_with(state, width, _LEGEND_GAPS[0])


def _legend_with(
    state: MemoryBarState, width: float, gap: int
) -> tuple[LegendEntry, ...]:
    name_width = QFontMetricsF(sans(PointSize.CAPTION)).horizontalAdvance
    figure_width = QFontMetricsF(sans(PointSize.CAPTION, SEMI_BOLD)).horizontalAdvance
    entries, x, row = [], 0.0, 0
    for segment, figure in state.figures():
        if not state.held(segment):
            continue
        name = state.name(segment)
        extent = _SWATCH + 5 + name_width(name) + 6 + figure_width(figure)
        if x and x + extent > width:
            x, row = 0.0, row + 1
        rect = QRectF(x, row * LEGEND_ROW, extent, LEGEND_ROW)
        entries.append(LegendEntry(segment, name, figure, rect))
        x += extent + gap
    return tuple(entries)


def legend_height(state: MemoryBarState, width: float) -> int:
    """The legend's height at a width; one row is kept for a bar not priced yet."""
    entries = legend(state, width)
    return round(entries[-1].rect.bottom()) if entries else LEGEND_ROW


def paint_legend(
    painter: QPainter, tokens: Tokens, origin: QPointF, entries: tuple[LegendEntry, ...]
) -> None:
    """Draw swatch, name and figure of each segment."""
    painter.save()
    for entry in entries:
        rect = entry.rect.translated(origin)
        top = round(rect.center().y() - _SWATCH / 2)
        swatch = QRectF(round(rect.left()), top, _SWATCH, _SWATCH)
        paint_swatch(painter, swatch, tokens, entry.segment)
        painter.setFont(sans(PointSize.CAPTION))
        painter.setPen(QColor(tokens.muted))
        painter.drawText(rect.adjusted(_SWATCH + 5, 0, 0, 0), _LEFT, entry.name)
        painter.setFont(sans(PointSize.CAPTION, SEMI_BOLD))
        painter.setPen(QColor(tokens.text))
        painter.drawText(rect, _RIGHT, entry.figure)
    painter.restore()
