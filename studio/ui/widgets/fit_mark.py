"""How a mark is drawn, by itself or in a table's cell."""

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from studio.ui.fonts import MEDIUM, SEMI_BOLD, sans
from studio.ui.icons import SIZE, SMALL_SIZE, paint_icon
from studio.ui.palette import current_tokens
from studio.ui.tokens import PointSize, Tokens, ink_for
from studio.ui.widgets.marks import NOT_PRICED, Mark, mark_for

__all__ = ["NOT_PRICED", "FitMark", "Mark", "mark_for", "mark_width", "paint_mark"]

_GAP: Final = 5
_HEIGHT: Final = 20


def mark_width(mark: Mark, *, large: bool = False) -> int:
    """The room that a mark takes, in device-independent pixels."""
    edge = SIZE if large else SMALL_SIZE
    words = QFontMetricsF(_font(large=large)).horizontalAdvance(mark.words)
    return round(edge + _GAP + words + 1)


def paint_mark(
    painter: QPainter, mark: Mark, rect: QRectF, tokens: Tokens, *, large: bool = False
) -> None:
    """Draw a mark at the left of a rectangle, in its vertical middle."""
    colour = ink_for(tokens, mark.tone)
    edge = SIZE if large else SMALL_SIZE
    top = rect.center().y() - edge / 2
    target = QRectF(round(rect.left()), round(top), edge, edge)
    paint_icon(painter, mark.icon, colour, target)
    painter.setFont(_font(large=large))
    painter.setPen(QColor(colour))
    flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
    painter.drawText(rect.adjusted(edge + _GAP, 0, 2, 0), flags, mark.words)


def _font(*, large: bool) -> QFont:
    if large:
        return sans(PointSize.CARD_TITLE, SEMI_BOLD)
    return sans(PointSize.CAPTION, MEDIUM)


class FitMark(QWidget):
    """A mark that stands by itself.

    Attributes:
        mark: What it says.
    """

    def __init__(
        self,
        mark: Mark = NOT_PRICED,
        about: str = "",
        *,
        large: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        """Make a mark.

        Args:
            mark: What it says.
            about: Whom it speaks of, read aloud before the words.
            large: In the size of a card's title, as a page's answer.
            parent: The parent widget.
        """
        super().__init__(parent)
        self.mark = mark
        self._about = about
        self._large = large
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.set_mark(mark)

    def set_mark(self, mark: Mark, about: str | None = None) -> None:
        """Say something else, or the same of somebody else."""
        self.mark = mark
        if about is not None:
            self._about = about
        unit = " GiB" if mark.words.startswith("Short by") else ""
        words = f"{mark.words}{unit}"
        self.setAccessibleName(f"{self._about}: {words}" if self._about else words)
        self.updateGeometry()
        self.update()

    @override
    def sizeHint(self) -> QSize:
        return QSize(mark_width(self.mark, large=self._large), _HEIGHT)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        rect = QRectF(self.rect())
        paint_mark(painter, self.mark, rect, current_tokens(), large=self._large)
