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
_AXIS_GAP: Final = 8
_LIMIT_GAP: Final = 4
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


@dataclass(frozen=True, slots=True)
class AxisLabel:
    """One name below the bar, its place, and where its tick stands, if it has one."""

    words: str
    tick: float | None
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
    words, rect = peak_words(picture, bracket)
    painter.setFont(sans(PointSize.CAPTION, MEDIUM))
    painter.drawText(rect, _LEFT, words)


def peak_words(picture: BarPicture, bracket: tuple[float, float]) -> tuple[str, QRectF]:
    """The peak in words, and where they stand: beside the bracket and the limit's line.

    Args:
        picture: Of a predicted peak.
        bracket: Its left and right end, in pixels.
    """
    state = picture.state
    words = (
        f"peak {gib(state.peak_bytes or 0)}, "
        f"between {gib(state.low_bytes or 0)} and {gib(state.high_bytes or 0)}"
    )
    font = sans(PointSize.CAPTION, MEDIUM)
    width = QFontMetricsF(font).horizontalAdvance(words)
    y = picture.rect.top() - 9 - _LINE_HEIGHT / 2 - 3
    rect = QRectF(bracket[0] - 8 - width, y, width, _LINE_HEIGHT)
    limit = picture.x(state.total_bytes)
    crosses = rect.left() < limit < rect.right() + _LIMIT_GAP
    if crosses and limit - _LIMIT_GAP - width >= picture.rect.left():
        rect.moveRight(limit - _LIMIT_GAP)  # the line would stand between letters
    if rect.left() < picture.rect.left():
        rect.moveLeft(bracket[1] + 8)
    return words, rect


def axis(picture: BarPicture) -> tuple[AxisLabel, ...]:
    """The names below the bar: the device's limit first, then the ticks in GiB.

    A tick whose name would touch the limit's or be cut by the bar's end is left out.
    """
    text_width = QFontMetricsF(sans(PointSize.CAPTION)).horizontalAdvance
    state, bar = picture.state, picture.rect
    top = bar.bottom() + 8

    def placed(words: str, left: float) -> QRectF:
        return QRectF(left, top, text_width(words), _LINE_HEIGHT)

    words = f"{state.limit_name} {state.total_figure()}"
    end = min(picture.x(state.total_bytes), bar.right())
    # A limit near the left edge, of a run many times too large, is named beside it.
    left = max(bar.left(), end - text_width(words))
    limit = AxisLabel(words, None, placed(words, left))
    taken = limit.rect.adjusted(-_AXIS_GAP, 0, _AXIS_GAP, 0)
    ticks = []
    for place in ticks_gib(picture.scale_bytes):
        x = picture.x(place * GIB)
        words = f"{place:,g}" if place else "0 GiB"
        rect = placed(words, x - text_width(words) / 2 if place else x)
        if not rect.intersects(taken) and rect.right() <= bar.right():
            ticks.append(AxisLabel(words, x, rect))
    return (limit, *ticks)


def paint_axis(painter: QPainter, picture: BarPicture) -> None:
    """Draw the ticks in GiB below the bar and name the device's limit."""
    painter.save()
    painter.setFont(sans(PointSize.CAPTION))
    painter.setPen(QColor(picture.tokens.muted))
    for name in axis(picture):
        if name.tick is not None:
            tick = QRectF(name.tick, picture.rect.bottom() + 3, 1, 4)
            painter.fillRect(tick, QColor(picture.tokens.border_strong))
        painter.drawText(name.rect, _CENTRE, name.words)
    painter.restore()


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
