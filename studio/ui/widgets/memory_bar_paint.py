"""How a memory bar is drawn, apart from the widget, so that table rows draw it too."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen

from studio.ui.fonts import SEMI_BOLD, sans
from studio.ui.tokens import PointSize, Radius, Tokens
from studio.ui.widgets.memory_bar_layout import (
    BarHeight,
    Label,
    Span,
    clear_of,
    label_for,
)
from studio.ui.widgets.memory_bar_state import MemoryBarState, Segment, Verdict

_HATCH_STEP: Final = 6
_DOT_STEP: Final = 8
_OUTLINE_ALPHA: Final = 0.28
_BAND_ALPHA: Final = 0.22
_LIMIT_OVERHANG: Final = 3
_LIMIT_OVERHANG_PAGE: Final = 8
_DISABLED_OPACITY: Final = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class BarPicture:
    """Everything that one drawing of the bar needs.

    Attributes:
        rect: The bar itself, without axis or bracket.
        state: What it shows.
        placed: The segments' spans, relative to the bar's left edge.
        scale_bytes: What the bar's width stands for.
        tokens: The palette.
        enabled: Drawn at full strength.
        outlined: Segments to outline: the current one, one chosen elsewhere.
    """

    rect: QRectF
    state: MemoryBarState
    placed: tuple[Span, ...]
    scale_bytes: int
    tokens: Tokens
    enabled: bool = True
    outlined: frozenset[Segment] = frozenset()

    def x(self, size_bytes: float) -> float:
        """The horizontal position of an amount of memory."""
        return self.rect.left() + size_bytes / self.scale_bytes * self.rect.width()


def segment_colour(tokens: Tokens, segment: Segment) -> str:
    """The colour that stands for a segment everywhere in the window."""
    colours = {
        Segment.OTHER: tokens.mem_other,
        Segment.WEIGHTS: tokens.mem_weights,
        Segment.ADAPTER: tokens.mem_adapter,
        Segment.ACTIVATIONS: tokens.mem_activations,
        Segment.LOSS: tokens.mem_loss,
        Segment.OVERHEAD: tokens.mem_overhead,
        Segment.HEADROOM: tokens.mem_headroom,
        Segment.FREE: tokens.mem_free,
    }
    return colours[segment]


def _label_colour(tokens: Tokens, segment: Segment) -> str:
    colours = {
        Segment.OTHER: tokens.mem_other_label,
        Segment.WEIGHTS: tokens.mem_weights_label,
        Segment.ADAPTER: tokens.mem_adapter_label,
        Segment.ACTIVATIONS: tokens.mem_activations_label,
        Segment.LOSS: tokens.mem_loss_label,
        Segment.OVERHEAD: tokens.mem_overhead_label,
    }
    return colours.get(segment, tokens.muted)


def paint_bar(painter: QPainter, picture: BarPicture) -> None:
    """Draw the bar with its gaps, labels, band, outline and limit line."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if not picture.enabled:
        painter.setOpacity(painter.opacity() * _DISABLED_OPACITY)
    painter.save()
    painter.setClipPath(_rounded(picture.rect))
    _paint_ground(painter, picture)
    for span in picture.placed:
        _paint_segment(painter, picture, span)
    if picture.rect.height() >= BarHeight.DETAILS:
        _paint_labels(painter, picture)
    _paint_band(painter, picture)
    painter.restore()
    _paint_outline(painter, picture)
    _paint_overrun(painter, picture)
    _paint_marks(painter, picture)
    painter.restore()


def paint_swatch(
    painter: QPainter, rect: QRectF, tokens: Tokens, segment: Segment
) -> None:
    """Draw the little square that names a segment in a legend."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setClipPath(_rounded(rect, 2))
    if segment is Segment.HEADROOM:
        _paint_hatch(painter, rect, tokens, step=4)
    else:
        painter.fillRect(rect, QColor(segment_colour(tokens, segment)))
    painter.setClipping(False)
    if segment in {Segment.HEADROOM, Segment.FREE}:
        painter.setPen(QPen(QColor(tokens.border_strong), 1))
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 2, 2)
    painter.restore()


def _rounded(rect: QRectF, radius: int = Radius.BAR) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(rect, radius, radius)
    return path


def _with_alpha(colour: str, alpha: float) -> QColor:
    result = QColor(colour)
    result.setAlphaF(alpha)
    return result


def _paint_ground(painter: QPainter, picture: BarPicture) -> None:
    painter.fillRect(picture.rect, QColor(picture.tokens.mem_free))
    if picture.state.is_priced:
        return
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(picture.tokens.border_strong))
    rect = picture.rect
    y = rect.top() + _DOT_STEP / 2
    while y < rect.bottom():
        x = rect.left() + _DOT_STEP / 2
        while x < rect.right():
            painter.drawEllipse(QPointF(x, y), 1, 1)
            x += _DOT_STEP
        y += _DOT_STEP


def _segment_rect(picture: BarPicture, span: Span, gap: int = 1) -> QRectF:
    width = max(0.0, span.width - gap)
    return QRectF(
        picture.rect.left() + span.left,
        picture.rect.top(),
        width,
        picture.rect.height(),
    )


def _paint_segment(painter: QPainter, picture: BarPicture, span: Span) -> None:
    if span.segment is Segment.FREE or span.width <= 0:
        return
    whole = _segment_rect(picture, span, gap=0)
    painter.fillRect(whole, QColor(picture.tokens.surface))
    rect = _segment_rect(picture, span)
    if span.segment is Segment.HEADROOM:
        _paint_hatch(painter, rect, picture.tokens)
    else:
        painter.fillRect(rect, QColor(segment_colour(picture.tokens, span.segment)))


def _paint_hatch(
    painter: QPainter, rect: QRectF, tokens: Tokens, step: int = _HATCH_STEP
) -> None:
    painter.save()
    painter.setClipRect(rect, Qt.ClipOperation.IntersectClip)
    painter.fillRect(rect, QColor(tokens.surface))
    painter.setPen(QPen(QColor(tokens.mem_headroom), 2 if step > 4 else 1.5))  # noqa: PLR2004 - thinner in the legend's small square
    # A step along x of 6·√2 keeps the lines 6 px apart across their direction.
    pitch = step * 2**0.5
    x = rect.left() - rect.height()
    while x < rect.right():
        painter.drawLine(
            QPointF(x, rect.bottom()), QPointF(x + rect.height(), rect.top())
        )
        x += pitch
    painter.restore()


def text_measure(weight_size: PointSize = PointSize.BODY) -> Callable[[str], float]:
    """The width of in-bar text, measured in its widest weight."""
    return QFontMetricsF(sans(weight_size, SEMI_BOLD)).horizontalAdvance


def _paint_labels(painter: QPainter, picture: BarPicture) -> None:
    measure = text_measure()
    figures = dict(picture.state.figures())
    marks = [x - picture.rect.left() for x in _marks(picture)]
    for span in picture.placed:
        name = picture.state.name(span.segment, short=True)
        if span.segment is Segment.HEADROOM:
            continue
        label = label_for(span, name, figures[span.segment], measure)
        if label is not None:
            extent = measure(f"{label.name} {label.figure}".strip())
            label = clear_of(label, span, extent, marks)
            _paint_label(painter, picture, span, label)


def _paint_label(
    painter: QPainter, picture: BarPicture, span: Span, label: Label
) -> None:
    painter.setPen(QColor(_label_colour(picture.tokens, span.segment)))
    rect = _segment_rect(picture, span).adjusted(label.inset, 0, 0, 0)
    flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
    if label.name:
        font = sans()
        painter.setFont(font)
        painter.drawText(rect, flags, label.name)
        advance = QFontMetricsF(font).horizontalAdvance(f"{label.name} ")
        rect.setLeft(rect.left() + advance)
    painter.setFont(sans(weight=SEMI_BOLD))
    painter.drawText(rect, flags, label.figure)


def _paint_band(painter: QPainter, picture: BarPicture) -> None:
    low = picture.state.on_card(picture.state.low_bytes)
    high = picture.state.on_card(picture.state.high_bytes)
    if low is None or high is None or picture.state.measured:
        return
    if picture.rect.height() < BarHeight.PAGE:
        return
    left, right = picture.x(low), picture.x(high)
    band = QRectF(left, picture.rect.top(), right - left, picture.rect.height())
    painter.fillRect(band, _with_alpha(picture.tokens.text, _BAND_ALPHA))


def _paint_outline(painter: QPainter, picture: BarPicture) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(_outline_pen(picture))
    inner = picture.rect.adjusted(0.5, 0.5, -0.5, -0.5)
    painter.drawRoundedRect(inner, Radius.BAR, Radius.BAR)
    for span in picture.placed:
        if span.segment in picture.outlined and span.width > 0:
            painter.setPen(QPen(QColor(picture.tokens.text), 2))
            rect = _segment_rect(picture, span).adjusted(0, 0, 0, 0)
            painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), 2, 2)


def _outline_pen(picture: BarPicture) -> QPen:
    if not picture.state.provisional:
        return QPen(_with_alpha(picture.tokens.text, _OUTLINE_ALPHA), 1)
    pen = QPen(QColor(picture.tokens.text), 1.5)
    pen.setDashPattern([4, 3])
    return pen


def _paint_overrun(painter: QPainter, picture: BarPicture) -> None:
    beyond = picture.state.sum_bytes - picture.state.total_bytes
    if beyond <= 0:
        return
    left = picture.x(picture.state.total_bytes)
    right = picture.x(picture.state.sum_bytes)
    rect = QRectF(left, picture.rect.top(), right - left, picture.rect.height())
    painter.setPen(QPen(QColor(picture.tokens.danger), 2))
    painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), 2, 2)


def _marks(picture: BarPicture) -> dict[float, int]:
    """Where lines cross the bar, and how far they reach beyond it."""
    state, page = picture.state, picture.rect.height() >= BarHeight.PAGE
    found = {}
    if page or picture.scale_bytes > state.total_bytes:
        overhang = _LIMIT_OVERHANG_PAGE if page else _LIMIT_OVERHANG
        found[picture.x(state.total_bytes)] = overhang
    peak = state.on_card(state.peak_bytes)
    if state.measured and peak is not None and state.verdict is not Verdict.NOT_PRICED:
        found[picture.x(peak)] = _LIMIT_OVERHANG
    return found


def _paint_marks(painter: QPainter, picture: BarPicture) -> None:
    for place, overhang in _marks(picture).items():
        _paint_tick(painter, picture, place, overhang)


def _paint_tick(
    painter: QPainter, picture: BarPicture, place: float, overhang: int
) -> None:
    rect = picture.rect
    x = min(max(place, rect.left() + 1), rect.right() - 1)
    painter.fillRect(
        QRectF(x - 1, rect.top() - overhang, 2, rect.height() + 2 * overhang),
        QColor(picture.tokens.text),
    )
