"""The length histogram: bars of rows, and one line that is dragged or moved by keys."""

from typing import Final

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from studio.ui.charts.length_state import LengthBars, ticks, token_ticks, within
from studio.ui.fonts import MEDIUM, sans
from studio.ui.palette import current_tokens
from studio.ui.tokens import PointSize, Radius, Tokens

_LEFT: Final = 44  # at least; more where the rows' numbers are longer
_BESIDE: Final = 8
_RIGHT: Final = 12
_BOTTOM: Final = 20
_TOP: Final = 26
_GRIP: Final = 8  # pixels at either side of the line that take it
_KNOB: Final = (14, 20)
_GAP: Final = 1.0
_LEAST_BAR: Final = 2.0  # pixels, so that a single row is seen
_WORDS: Final = 170
_LINE_OF_WORDS: Final = 17
_TICKS_UP: Final = 3
_TICK_EVERY: Final = 80  # pixels


class LengthHistogram(QWidget):
    """Rows by length; what is past the line is cut.

    Attributes:
        bars: What is shown.
        line: Where the line stands, in tokens.

    Signals:
        line_moved(int): It is on its way; the recipe is not changed yet.
        line_set(int): It was let go, or moved by a key.
    """

    line_moved = Signal(int)
    line_set = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bars = LengthBars()
        self.line = 1024
        self._words, self._cut = "", 0
        self._left = _LEFT
        self._dragged_on: int | None = None  # the axis' end while the line is held
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        policy = QSizePolicy.Policy.Expanding
        self.setSizePolicy(policy, policy)
        self.setAccessibleName("Length of rows")

    def set_bars(self, bars: LengthBars) -> None:
        """Show other rows."""
        self.bars = bars
        numbers = (f"{tick:,}" for tick in ticks(self._highest(), _TICKS_UP))
        metrics = QFontMetrics(sans(PointSize.CAPTION))
        widest = max(metrics.horizontalAdvance(number) for number in numbers)
        self._left = max(_LEFT, widest + _BESIDE + 2)
        self.update()

    def set_line(self, line: int, cut: int, words: str) -> None:
        """Put the line somewhere without telling anybody.

        Args:
            line: In tokens.
            cut: How many rows are longer.
            words: That in words.
        """
        if self._dragged_on is None:
            self.line = line
        self._words, self._cut = words, cut
        longest = f"longest: {self.bars.longest:,} tokens"
        self.setAccessibleName(f"Length of rows, line at {self.line:,} tokens")
        self.setAccessibleDescription(f"{words}, {longest}")
        self.update()

    @property
    def is_dragged(self) -> bool:
        """Whether the mouse holds the line."""
        return self._dragged_on is not None

    def place_of(self, tokens: float) -> float:
        """The x of a length, in pixels; what lies beyond the axis is at its end."""
        share = min(tokens / self._farthest(), 1.0)
        plot = self._plot()
        return plot.left() + share * plot.width()

    @override
    def sizeHint(self) -> QSize:
        return QSize(480, 150)

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(240, 110)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        bars, line = self.bars, self.line
        match Qt.Key(event.key()):
            case Qt.Key.Key_Left:
                self._set(bars.moved(line, -1))
            case Qt.Key.Key_Right:
                self._set(bars.moved(line, 1))
            case Qt.Key.Key_PageDown:
                self._set(bars.paged(line, -1))
            case Qt.Key.Key_PageUp:
                self._set(bars.paged(line, 1))
            case Qt.Key.Key_Home:
                self._set(within(bars.shortest))
            case Qt.Key.Key_End:
                self._set(within(bars.longest))
            case _:
                super().keyPressEvent(event)

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton and self._at_line(event):
            self._dragged_on = self._farthest()
        super().mousePressEvent(event)
        event.accept()

    @override
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged_on is None:
            over = self._at_line(event)
            shape = Qt.CursorShape.SplitHCursor if over else Qt.CursorShape.ArrowCursor
            self.setCursor(shape)
            return
        plot = self._plot()
        share = (event.position().x() - plot.left()) / max(1.0, plot.width())
        step = self.bars.step
        line = within(round(share * self._dragged_on / step) * step)
        if line != self.line:
            self.line = line
            self.line_moved.emit(line)
            self.update()

    @override
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton and self.is_dragged:
            self._dragged_on = None
            self.line_set.emit(self.line)
            self.update()
        super().mouseReleaseEvent(event)

    @override
    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    @override
    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter, tokens = QPainter(self), current_tokens()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(sans(PointSize.CAPTION))
        self._paint_axes(painter, tokens)
        self._paint_bars(painter, tokens)
        self._paint_line(painter, tokens)

    def _set(self, line: int) -> None:
        if line != self.line:
            self.line = line
            self.line_set.emit(line)
            self.update()

    def _farthest(self) -> int:
        return self._dragged_on or self.bars.farthest(self.line)

    def _plot(self) -> QRectF:
        rect = QRectF(self.rect())
        return rect.adjusted(self._left, _TOP, -_RIGHT, -_BOTTOM)

    def _at_line(self, event: QMouseEvent) -> bool:
        return abs(event.position().x() - self.place_of(self.line)) <= _GRIP

    def _highest(self) -> int:
        return max(self.bars.rows, default=0) or 1

    def _paint_axes(self, painter: QPainter, tokens: Tokens) -> None:
        plot, top = self._plot(), self._highest()
        for tick in ticks(top, _TICKS_UP):
            y = plot.bottom() - plot.height() * tick / top
            painter.setPen(QPen(QColor(tokens.chart_grid), 1))
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(QColor(tokens.muted))
            words = QRectF(0, y - 9, self._left - _BESIDE, 18)
            painter.drawText(words, _RIGHT_MIDDLE, f"{tick:,}")
        painter.setPen(QPen(QColor(tokens.border_strong), 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        painter.setPen(QColor(tokens.muted))
        for tick in token_ticks(self._farthest(), int(plot.width()) // _TICK_EVERY):
            x = self.place_of(tick)
            words = QRectF(x - 40, plot.bottom() + 3, 80, _BOTTOM - 3)
            if words.right() > self.width():
                continue
            painter.drawText(words, _CENTRE, f"{tick:,}")
        if self.line > self._farthest():
            words = QRectF(0, plot.bottom() + 3, self.width(), _BOTTOM - 3)
            painter.setPen(QColor(tokens.text))
            painter.drawText(words, _RIGHT_TOP, f"{self.line:,} →")

    def _paint_bars(self, painter: QPainter, tokens: Tokens) -> None:
        plot, top, width = self._plot(), self._highest(), self.bars.width
        painter.setPen(Qt.PenStyle.NoPen)
        for place, rows in enumerate(self.bars.rows):
            if not rows:
                continue
            left = self.place_of(place * width)
            right = self.place_of((place + 1) * width)
            tall = max(_LEAST_BAR, plot.height() * rows / top)
            wide = max(1.0, right - left - _GAP)
            rect = QRectF(left, plot.bottom() - tall, wide, tall)
            cut = self.bars.cut_of(place, self.line, self._cut)
            above = max(_LEAST_BAR, tall * cut / rows) if cut else 0.0
            painter.setBrush(QColor(tokens.series_1))
            painter.drawRect(rect.adjusted(0, above, 0, 0))
            painter.setBrush(QColor(tokens.series_2))
            painter.drawRect(rect.adjusted(0, 0, 0, above - tall))

    def _paint_line(self, painter: QPainter, tokens: Tokens) -> None:
        plot, x = self._plot(), self.place_of(self.line)
        painter.setPen(QPen(QColor(tokens.text), 2))
        painter.drawLine(QPointF(x, _TOP - 6), QPointF(x, plot.bottom()))
        wide, tall = _KNOB
        knob = QRectF(x - wide / 2, 2, wide, tall)
        painter.setPen(QPen(QColor(tokens.text), 2 if self.hasFocus() else 1.5))
        painter.setBrush(
            QColor(tokens.selection if self.hasFocus() else tokens.surface)
        )
        painter.drawRoundedRect(knob, Radius.BAR, Radius.BAR)
        for shift in (-2, 2):
            top, foot = QPointF(x + shift, 8), QPointF(x + shift, 16)
            painter.drawLine(top, foot)
        self._paint_words(painter, tokens, x)

    def _paint_words(self, painter: QPainter, tokens: Tokens, x: float) -> None:
        if not self.bars.rows:
            return
        fits = x + _WORDS < self.width()
        side = Qt.AlignmentFlag.AlignLeft if fits else Qt.AlignmentFlag.AlignRight
        left = x + _KNOB[0] if fits else x - _KNOB[0] - _WORDS
        rows = (
            (self._words, MEDIUM, tokens.text),
            (f"longest: {self.bars.longest:,} tokens", None, tokens.muted),
        )
        for place, (words, weight, ink) in enumerate(rows):
            rect = QRectF(left, 2 + place * _LINE_OF_WORDS, _WORDS, _LINE_OF_WORDS)
            font = (
                sans(PointSize.CAPTION, weight) if weight else sans(PointSize.CAPTION)
            )
            painter.setFont(font)
            wide = painter.fontMetrics().horizontalAdvance(words) + 4
            ground = QRectF(rect)
            ground.setWidth(min(wide, _WORDS))
            if not fits:
                ground.moveRight(rect.right())
            painter.fillRect(ground, QColor(tokens.surface))
            painter.setPen(QColor(ink))
            painter.drawText(rect, side | Qt.AlignmentFlag.AlignVCenter, words)


_RIGHT_MIDDLE: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_RIGHT_TOP: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
_CENTRE: Final = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
