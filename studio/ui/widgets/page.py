"""The frame of a page: header, margins, and columns that stack in a narrow window."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from studio.ui.tokens import CONTENT_WIDTH, FOLD_BELOW, Space
from studio.ui.widgets.page_header import PageHeader

_SIDE_GROWTH = 1.25
_CONTENT_AT_1280 = 1024


class PageFrame(QWidget):
    """Header above, content below; the content scrolls only when it doesn't fit.

    Attributes:
        header: The page's header.
        content: The layout of the cards, top to bottom, 16 px apart.
    """

    def __init__(
        self, title: str, facts: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.header = PageHeader(title, facts)
        canvas = QWidget()
        canvas.setProperty("page", "true")
        canvas.setMaximumWidth(CONTENT_WIDTH + 2 * Space.PAGE)
        self.content = QVBoxLayout(canvas)
        self.content.setContentsMargins(Space.PAGE, 0, Space.PAGE, Space.PAGE)
        self.content.setSpacing(Space.LARGE)
        self._scroll = QScrollArea()
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(self._left_aligned(canvas))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.header.setMaximumWidth(CONTENT_WIDTH + 2 * Space.PAGE)
        layout.addWidget(self._left_aligned(self.header))
        layout.addWidget(self._scroll, 1)

    @staticmethod
    def _left_aligned(canvas: QWidget) -> QWidget:
        holder = QWidget()
        holder.setProperty("page", "true")
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(canvas, 1)
        row.addStretch(0)
        return holder


class TwoColumns(QWidget):
    """A main and a side column; in a narrow window the right one goes below.

    The side column keeps its width up to a quarter more; the main one takes the rest.

    Attributes:
        left: The layout of the left column.
        right: The layout of the right column.
    """

    def __init__(
        self,
        *,
        side_width: int,
        side_is_left: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        """Make two empty columns.

        Args:
            side_width: The side column's width at a window of 1280 px.
            side_is_left: The side column is the left one.
            parent: The parent widget.
        """
        super().__init__(parent)
        self._side_width = side_width
        self._holders = (QWidget(), QWidget())
        self._side = self._holders[0 if side_is_left else 1]
        self.left, self.right = (self._column(holder) for holder in self._holders)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(Space.LARGE)
        for holder in self._holders:
            self._row.addWidget(holder, 0 if holder is self._side else 1)
        self._lay_out()

    @property
    def is_stacked(self) -> bool:
        """Whether the right column is below the left one."""
        return self._row.direction() is QBoxLayout.Direction.TopToBottom

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    @override
    def minimumSizeHint(self) -> QSize:
        # The columns' own minimum would keep the window from getting narrow enough
        # to stack them.
        return QSize(0, super().minimumSizeHint().height())

    def _lay_out(self) -> None:
        stacked = self.window().width() < FOLD_BELOW
        wanted = (
            QBoxLayout.Direction.TopToBottom
            if stacked
            else QBoxLayout.Direction.LeftToRight
        )
        if self._row.direction() is not wanted:
            self._row.setDirection(wanted)
        if stacked:
            self._side.setMinimumWidth(0)
            self._side.setMaximumWidth(16_777_215)
            return
        room = round(self.width() * self._side_width / _CONTENT_AT_1280)
        width = min(max(self._side_width, room), round(self._side_width * _SIDE_GROWTH))
        self._side.setFixedWidth(min(width, max(self._side_width, self.width() // 2)))
        # The row was laid out before this event with the width of before.
        self._row.invalidate()
        self._row.activate()

    @staticmethod
    def _column(holder: QWidget) -> QVBoxLayout:
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.LARGE)
        holder.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        return column
