"""Tables: row lines instead of a grid, a ring inside the current row, painted cells.

A model gives plain text as usual; for a mark or a small memory bar it returns a `Mark`
or a `MemoryBarState` under `Qt.ItemDataRole.UserRole` and the column gets the delegate.
"""

from typing import Final

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)
from typing_extensions import override

from studio.ui.focus_ring import keyboard_leads
from studio.ui.fonts import MEDIUM, REGULAR, sans
from studio.ui.palette import current_tokens
from studio.ui.tokens import Height, PointSize, Radius, Tokens, Tone, ink_for
from studio.ui.widgets.fit_mark import Mark, mark_width, paint_mark
from studio.ui.widgets.memory_bar_layout import BarHeight, spans
from studio.ui.widgets.memory_bar_paint import BarPicture, paint_bar
from studio.ui.widgets.memory_bar_state import MemoryBarState

PADDING: Final = 12
CAPTION_ROLE: Final = Qt.ItemDataRole.UserRole + 1
"""A second, smaller line below the cell's text."""
TONE_ROLE: Final = Qt.ItemDataRole.UserRole + 2
"""The `Tone` of the cell's text."""

_Index = QModelIndex | QPersistentModelIndex
_ASIDE_GAP: Final = 4


class RowDelegate(QStyledItemDelegate):
    """Ground, row line and texts of a cell; two lines when there is a caption."""

    @override
    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: _Index
    ) -> None:
        tokens = current_tokens()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        paint_row_ground(painter, option, index, tokens)
        self.paint_content(painter, option, index, tokens)
        painter.restore()

    def paint_content(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: _Index,
        tokens: Tokens,
    ) -> None:
        """Draw what the cell holds; the ground is there already."""
        rect = _rect(option).adjusted(PADDING, 0, -PADDING, 0)
        paint_cell_text(painter, rect, index, tokens)


class AsideDelegate(RowDelegate):
    """Draws the caption behind the text, on the same line."""

    @override
    def paint_content(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: _Index,
        tokens: Tokens,
    ) -> None:
        rect = _rect(option).adjusted(PADDING, 0, -PADDING, 0)
        words = str(index.data(Qt.ItemDataRole.DisplayRole) or "")
        aside = str(index.data(CAPTION_ROLE) or "")
        body, small = sans(PointSize.BODY, MEDIUM), sans(PointSize.CAPTION)
        room = rect.width() - QFontMetrics(small).horizontalAdvance(aside) - _ASIDE_GAP
        width = min(float(QFontMetrics(body).horizontalAdvance(words) + 1), room)
        side = Qt.AlignmentFlag.AlignLeft
        first = QRectF(rect.left(), rect.top(), width, rect.height())
        draw_words(painter, first, words, body, (side, tokens.text))
        behind = rect.adjusted(width + _ASIDE_GAP, 0, 0, 0)
        draw_words(painter, behind, aside, small, (side, tokens.muted))


class MarkDelegate(RowDelegate):
    """Draws a `Mark`."""

    @override
    def paint_content(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: _Index,
        tokens: Tokens,
    ) -> None:
        mark = index.data(Qt.ItemDataRole.UserRole)
        if isinstance(mark, Mark):
            rect = _rect(option).adjusted(PADDING, 0, -PADDING, 0)
            paint_mark(painter, mark, rect, tokens)

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        mark = index.data(Qt.ItemDataRole.UserRole)
        width = mark_width(mark) if isinstance(mark, Mark) else 0
        return QSize(width + 2 * PADDING, Height.ROW)


class MemoryBarDelegate(RowDelegate):
    """Draws a `MemoryBarState` as a 12 px bar; the rows share one scale."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scale_bytes = 0

    def set_scale(self, scale_bytes: int) -> None:
        """Let all bars of the column stand for this many bytes."""
        self._scale_bytes = scale_bytes

    @override
    def paint_content(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: _Index,
        tokens: Tokens,
    ) -> None:
        state = index.data(Qt.ItemDataRole.UserRole)
        if not isinstance(state, MemoryBarState):
            return
        cell = _rect(option).adjusted(PADDING, 0, -PADDING, 0)
        top = round(cell.center().y() - BarHeight.LIST / 2)
        rect = QRectF(cell.left(), top, cell.width(), BarHeight.LIST)
        scale = max(state.scale_bytes, self._scale_bytes)
        picture = BarPicture(
            rect=rect,
            state=state,
            placed=spans(state, rect.width(), scale),
            scale_bytes=scale,
            tokens=tokens,
        )
        paint_bar(painter, picture)


class DataTable(QTableView):
    """A table that selects rows, scrolls inside its card and keeps its header."""

    def __init__(
        self,
        model: QAbstractItemModel,
        *,
        name: str,
        row_height: Height = Height.ROW,
        parent: QWidget | None = None,
    ) -> None:
        """Show a model.

        Args:
            model: The rows.
            name: What is listed, for screen readers.
            row_height: 36 dense, 40, or 48 for two lines.
            parent: The parent widget.
        """
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setModel(model)
        self.setItemDelegate(RowDelegate(self))
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        rows = self.verticalHeader()
        rows.hide()
        rows.setDefaultSectionSize(row_height)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        columns = self.horizontalHeader()
        columns.setFixedHeight(Height.TABLE_HEADER)
        columns.setHighlightSections(False)
        columns.setSectionsClickable(False)
        columns.setDefaultAlignment(
            Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        )
        columns.setMinimumSectionSize(32)

    def stretch_column(self, column: int) -> None:
        """Let one column take the room that the others leave."""
        header = self.horizontalHeader()
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)

    def set_widths(self, widths: dict[int, int]) -> None:
        """Give columns fixed widths, in device-independent pixels."""
        for column, width in widths.items():
            self.setColumnWidth(column, width)

    def current_row(self) -> int:
        """The current row; -1 without one."""
        return self.currentIndex().row()


def paint_cell_text(
    painter: QPainter, rect: QRectF, index: _Index, tokens: Tokens
) -> None:
    """Draw a cell's text, and below it the caption if there is one."""
    alignment = index.data(Qt.ItemDataRole.TextAlignmentRole)
    side = Qt.AlignmentFlag.AlignLeft
    if alignment is not None:
        side = Qt.AlignmentFlag(alignment) & Qt.AlignmentFlag.AlignHorizontal_Mask
    text = index.data(Qt.ItemDataRole.DisplayRole)
    ink = ink_for(tokens, index.data(TONE_ROLE) or Tone.NORMAL)
    words = "" if text is None else str(text)
    body = sans(PointSize.BODY, MEDIUM if index.column() == 0 else REGULAR)
    caption = index.data(CAPTION_ROLE)
    if not caption:
        draw_words(painter, rect, words, body, (side, ink))
        return
    half = rect.height() / 2
    upper, lower = rect.adjusted(0, 4, 0, 2 - half), rect.adjusted(0, half, 0, -4)
    draw_words(painter, upper, words, sans(PointSize.BODY, MEDIUM), (side, ink))
    small = sans(PointSize.CAPTION)
    draw_words(painter, lower, str(caption), small, (side, tokens.muted))


def paint_row_ground(
    painter: QPainter, option: QStyleOptionViewItem, index: _Index, tokens: Tokens
) -> None:
    """Draw selection or hover, the row line, and the keyboard's ring."""
    rect = _rect(option)
    state = _state(option)
    if state & QStyle.StateFlag.State_Selected:
        painter.fillRect(rect, QColor(tokens.selection))
    elif state & QStyle.StateFlag.State_MouseOver:
        painter.fillRect(rect, QColor(tokens.raised))
    last = rect.adjusted(0, rect.height() - 1, 0, 0)
    painter.fillRect(last, QColor(tokens.border))
    view = _view(option)
    if view is None or not view.hasFocus() or not keyboard_leads():
        return
    if view.currentIndex().row() == index.row():
        _paint_inset_ring(painter, view, index, tokens)


def _paint_inset_ring(
    painter: QPainter, view: QTableView, index: _Index, tokens: Tokens
) -> None:
    model = index.model()
    first = view.visualRect(model.index(index.row(), 0))
    final = view.visualRect(model.index(index.row(), model.columnCount() - 1))
    painter.save()
    painter.setPen(QPen(QColor(tokens.text), 2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    ring = QRectF(first.united(final)).adjusted(2, 2, -2, -3)
    painter.setClipRect(QRectF(view.visualRect(index)))
    painter.drawRoundedRect(ring, Radius.BAR, Radius.BAR)
    painter.restore()


def draw_words(
    painter: QPainter,
    rect: QRectF,
    text: str,
    font: QFont,
    look: tuple[Qt.AlignmentFlag, str],
) -> None:
    """Draw one line, shortened at its end; `look` is its side and its colour."""
    painter.setFont(font)
    side, colour = look
    painter.setPen(QColor(colour))
    shown = painter.fontMetrics().elidedText(
        text, Qt.TextElideMode.ElideRight, int(rect.width())
    )
    painter.drawText(rect, side | Qt.AlignmentFlag.AlignVCenter, shown)


def _rect(option: QStyleOptionViewItem) -> QRectF:
    return QRectF(option.rect)


def _state(option: QStyleOptionViewItem) -> QStyle.StateFlag:
    state: QStyle.StateFlag = option.state
    return state


def _view(option: QStyleOptionViewItem) -> QTableView | None:
    widget = option.widget
    return widget if isinstance(widget, QTableView) else None
