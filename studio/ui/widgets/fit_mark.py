"""Marks: an icon and words, so that colour is never the only carrier."""

from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from studio.ui.fonts import MEDIUM, sans
from studio.ui.icons import SMALL_SIZE, IconName, paint_icon
from studio.ui.palette import current_tokens
from studio.ui.text import gib
from studio.ui.tokens import PointSize, Tokens, Tone, ink_for
from studio.ui.widgets.memory_bar_state import Verdict

_GAP: Final = 4
_HEIGHT: Final = 20


@dataclass(frozen=True, slots=True)
class Mark:
    """What a mark says."""

    icon: IconName
    words: str
    tone: Tone


NOT_PRICED: Final = Mark(IconName.INFO, "Not priced yet", Tone.MUTED)


def mark_for(verdict: Verdict, short_bytes: int = 0) -> Mark:
    """The mark of a verdict; a run that is short says by how much."""
    match verdict:
        case Verdict.FITS:
            return Mark(IconName.CHECK_CIRCLE, "Fits", Tone.SUCCESS)
        case Verdict.MUCH_ROOM:
            return Mark(IconName.CHECK_CIRCLE, "Fits, much room", Tone.SUCCESS)
        case Verdict.TIGHT:
            return Mark(IconName.WARNING, "Tight", Tone.WARNING)
        case Verdict.SHORT:
            words = f"Short by {gib(short_bytes)}"
            return Mark(IconName.CROSS_CIRCLE, words, Tone.DANGER)
        case Verdict.NOT_PRICED:
            return NOT_PRICED


def mark_width(mark: Mark) -> int:
    """The room that a mark takes, in device-independent pixels."""
    metrics = QFontMetricsF(sans(PointSize.CAPTION, MEDIUM))
    return round(SMALL_SIZE + _GAP + metrics.horizontalAdvance(mark.words) + 1)


def paint_mark(painter: QPainter, mark: Mark, rect: QRectF, tokens: Tokens) -> None:
    """Draw a mark at the left of a rectangle, in its vertical middle."""
    colour = ink_for(tokens, mark.tone)
    top = rect.center().y() - SMALL_SIZE / 2
    target = QRectF(round(rect.left()), round(top), SMALL_SIZE, SMALL_SIZE)
    paint_icon(painter, mark.icon, colour, target)
    painter.setFont(sans(PointSize.CAPTION, MEDIUM))
    painter.setPen(QColor(colour))
    words = rect.adjusted(SMALL_SIZE + _GAP, 0, 0, 0)
    flags = painter.fontMetrics()
    baseline = words.center().y() + (flags.ascent() - flags.descent()) / 2
    painter.drawText(round(words.left()), round(baseline), mark.words)


class FitMark(QWidget):
    """A mark that stands by itself.

    Attributes:
        mark: What it says.
    """

    def __init__(
        self, mark: Mark = NOT_PRICED, about: str = "", parent: QWidget | None = None
    ) -> None:
        """Make a mark.

        Args:
            mark: What it says.
            about: Whom it speaks of, read aloud before the words.
            parent: The parent widget.
        """
        super().__init__(parent)
        self.mark = mark
        self._about = about
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
        return QSize(mark_width(self.mark), _HEIGHT)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        paint_mark(painter, self.mark, QRectF(self.rect()), current_tokens())
