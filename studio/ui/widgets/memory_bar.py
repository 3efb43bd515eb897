"""The memory bar: one card, what takes its room, and whether a run fits."""

from PySide6.QtCore import (
    QEasingCurve,
    QEvent,
    QPoint,
    QPointF,
    QRectF,
    QSize,
    Qt,
    QVariantAnimation,
    Signal,
)
from PySide6.QtGui import (
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget
from typing_extensions import override

from studio.ui.motion import motion_ms
from studio.ui.palette import current_tokens
from studio.ui.text import GIB
from studio.ui.widgets import memory_bar_frame as frame
from studio.ui.widgets.memory_bar_layout import (
    BarHeight,
    Span,
    blended,
    neighbour,
    segment_at,
    spans,
)
from studio.ui.widgets.memory_bar_paint import BarPicture, paint_bar
from studio.ui.widgets.memory_bar_state import MemoryBarState, Segment

_SMALL_OVERHANG = 3
_GRIP = 5  # pixels at either side of the edge that is dragged
_PUSH = GIB // 10  # a key's step
_DRAGS = Qt.CursorShape.SplitHCursor
_KEYBOARD_REASONS = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class MemoryBar(QWidget):
    """A card's memory from left to right; the picture of the promise.

    Attributes:
        state: What is shown, or None before the first reading.
        bar_height: The height of the bar itself.

    Signals:
        bar_clicked: The bar was clicked.
        headroom_chosen(int): The head-room was dragged, or moved by Up and Down while
            it is under the keyboard, to so many bytes.
    """

    bar_clicked = Signal()
    # A Python number: Qt's own int ends at two GiB.
    headroom_chosen = Signal(object)

    def __init__(
        self,
        bar_height: BarHeight = BarHeight.PAGE,
        *,
        shows_prediction: bool = True,
        moves_headroom: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        """Make an empty bar.

        Args:
            bar_height: Where it stands; at `BarHeight.PAGE` it has axis and legend.
            shows_prediction: Whether room for the peak's bracket is kept.
            moves_headroom: Whether the head-room's edge can be dragged.
            parent: The parent widget.
        """
        super().__init__(parent)
        self.bar_height = bar_height
        self.state: MemoryBarState | None = None
        self._shows_prediction = shows_prediction
        self._moves_headroom = moves_headroom
        self._dragged: int | None = None
        self._shared_scale: int | None = None
        self._current: Segment | None = None
        self._outlined: Segment | None = None
        self._moving_from: tuple[Span, ...] = ()
        self._animation = QVariantAnimation(self)
        self._animation.setStartValue(0.0)
        self._animation.setEndValue(1.0)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)
        self._animation.valueChanged.connect(self._on_animation_value)
        self._set_up_input()

    def set_state(
        self, state: MemoryBarState | None, *, animated: bool = False
    ) -> None:
        """Show another reading or prediction.

        Args:
            state: What to show; None, before the first reading, is drawn as dots.
            animated: The change is the user's own, so the segments move.
        """
        self._moving_from = self._placed()
        self.state = state
        self.setAccessibleName("Memory" if state is None else state.description())
        self._animation.stop()
        if animated and self._moving_from and motion_ms() and self.isVisible():
            self._animation.setDuration(motion_ms())
            self._animation.start()
        self.updateGeometry()
        self.update()

    def set_scale(self, scale_bytes: int | None) -> None:
        """Share a scale with the bars above and below; None is the bar's own."""
        self._shared_scale = scale_bytes
        self.update()

    def outline_segment(self, segment: Segment | None) -> None:
        """Outline the segment that something beside the bar speaks of."""
        self._outlined = segment
        self.update()

    def current_segment(self) -> Segment | None:
        """The segment under the keyboard."""
        return self._current

    @override
    def sizeHint(self) -> QSize:
        return QSize(320, self.heightForWidth(640))

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(96, self.heightForWidth(max(self.width(), 640)))

    @override
    def hasHeightForWidth(self) -> bool:
        return self._has_frame

    @override
    def heightForWidth(self, width: int) -> int:
        if not self._has_frame:
            return self.bar_height + 2 * _SMALL_OVERHANG
        below = frame.AXIS_HEIGHT + frame.LEGEND_ROW
        if self.state is not None:
            below = frame.AXIS_HEIGHT + frame.legend_height(self.state, width)
        return self._room_above + self.bar_height + below

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        picture = self._picture()
        paint_bar(painter, picture)
        if self.state is None or not self._has_frame:
            return
        frame.paint_bracket(painter, picture)
        frame.paint_axis(painter, picture)
        origin = QPointF(0, picture.rect.bottom() + frame.AXIS_HEIGHT)
        entries = frame.legend(picture.state, self.width())
        frame.paint_legend(painter, picture.tokens, origin, entries)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        pushed = {Qt.Key.Key_Up: 1, Qt.Key.Key_Down: -1}.get(Qt.Key(event.key()))
        if pushed and self._current is Segment.HEADROOM and self._moves_headroom:
            self._push_headroom(pushed)
            return
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        self._current = neighbour(self._placed(), self._current, step)
        self._show_segment_tip(self._current)
        self.update()

    @override
    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        if event.reason() in _KEYBOARD_REASONS:
            self._current = neighbour(self._placed(), self._current, 0)
            self._show_segment_tip(self._current)
        self.update()

    @override
    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._current = None
        QToolTip.hideText()
        self.update()

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton and self._at_edge(event):
            self._dragged = self._headroom_at(event)
        super().mousePressEvent(event)

    @override
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged is not None:
            self._dragged = self._headroom_at(event)
            words = f"Head-room {self._dragged / GIB:.2f} GiB"
            QToolTip.showText(event.globalPosition().toPoint(), words, self)
            self.update()
            return
        at_edge = self._at_edge(event)
        self.setCursor(_DRAGS if at_edge else Qt.CursorShape.ArrowCursor)
        rect = self._bar_rect()
        inside = rect.contains(event.position())
        under = segment_at(self._placed(), event.position().x()) if inside else None
        if under is not None:
            self._show_segment_tip(under, event.globalPosition().toPoint())
        else:
            QToolTip.hideText()
        super().mouseMoveEvent(event)

    @override
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            chosen, self._dragged = self._dragged, None
            if chosen is not None:
                self.headroom_chosen.emit(chosen)
            else:
                self.bar_clicked.emit()
        super().mouseReleaseEvent(event)

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in {QEvent.Type.EnabledChange, QEvent.Type.PaletteChange}:
            self.update()

    @property
    def _has_frame(self) -> bool:
        return self.bar_height is BarHeight.PAGE

    @property
    def _room_above(self) -> int:
        return frame.BRACKET_HEIGHT if self._shows_prediction else frame.LIMIT_ROOM

    def _set_up_input(self) -> None:
        self.setMouseTracking(True)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(self._has_frame)
        self.setSizePolicy(policy)
        self.setAccessibleName("Memory")
        if self.bar_height >= BarHeight.DETAILS:
            self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def _bar_rect(self) -> QRectF:
        if self._has_frame:
            return QRectF(0, self._room_above, self.width(), self.bar_height)
        top = (self.height() - self.bar_height) / 2
        return QRectF(0, round(top), self.width(), self.bar_height)

    def _scale(self) -> int:
        own = 1 if self.state is None else self.state.scale_bytes
        return max(own, self._shared_scale or 0)

    def _headroom_edge(self) -> float | None:
        """Where the head-room ends; None where nothing can be dragged."""
        if not self._moves_headroom or self.state is None:
            return None
        placed = self._placed()
        edges = [span.right for span in placed if span.segment is Segment.HEADROOM]
        return edges[0] if edges else None

    def _at_edge(self, event: QMouseEvent) -> bool:
        edge, at = self._headroom_edge(), event.position()
        inside = self._bar_rect().contains(at)
        return edge is not None and inside and abs(at.x() - edge) <= _GRIP

    def _headroom_at(self, event: QMouseEvent) -> int:
        """The head-room that ends under the mouse, as far as there is room."""
        begin = next(s.left for s in self._placed() if s.segment is Segment.HEADROOM)
        wide = max(0.0, event.position().x() - begin)
        return self._possible(round(wide / self.width() * self._scale()))

    def _push_headroom(self, steps: int) -> None:
        if self.state is not None:
            now = self.state.held(Segment.HEADROOM)
            self.headroom_chosen.emit(self._possible(now + steps * _PUSH))

    def _possible(self, headroom_bytes: int) -> int:
        state = self.state
        most = 0
        if state is not None:
            most = state.held(Segment.HEADROOM) + state.held(Segment.FREE)
        return min(max(0, headroom_bytes), most)

    def _shown_state(self) -> MemoryBarState | None:
        """The state, with the head-room where it is dragged to."""
        if self.state is None or self._dragged is None:
            return self.state
        return self.state.with_headroom(self._dragged)

    def _placed(self) -> tuple[Span, ...]:
        state = self._shown_state()
        if state is None:
            return ()
        placed = spans(state, self.width(), self._scale())
        if self._animation.state() is QVariantAnimation.State.Running:
            return blended(self._moving_from, placed, self._animation.currentValue())
        return placed

    def _picture(self) -> BarPicture:
        return BarPicture(
            rect=self._bar_rect(),
            state=self._shown_state() or MemoryBarState.not_priced(self._scale()),
            placed=self._placed(),
            scale_bytes=self._scale(),
            tokens=current_tokens(),
            enabled=self.isEnabled(),
            outlined=frozenset(s for s in (self._current, self._outlined) if s),
        )

    def _show_segment_tip(
        self, segment: Segment | None, at: QPoint | None = None
    ) -> None:
        if segment is None or self.state is None:
            return
        figure = dict(self.state.figures())[segment]
        words = f"{self.state.name(segment)} {figure} GiB"
        if segment is Segment.HEADROOM and self._moves_headroom:
            words = f"{words}; drag its right edge"
        if at is None:
            span = next(s for s in self._placed() if s.segment is segment)
            rect = self._bar_rect()
            at = self.mapToGlobal(QPoint(round(span.left), round(rect.bottom())))
        QToolTip.showText(at, words, self)

    def _on_animation_value(self) -> None:
        self.update()
