"""The progress header: how long still, before anything else."""

from dataclasses import dataclass
from typing import Final

from PySide6.QtGui import QAccessible, QAccessibleValueChangeEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from studio.ui.text import whole_percent
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.card import Card
from studio.ui.widgets.labels import Role, label, line, set_look
from studio.ui.widgets.metric_tile import MetricTile

_SCALE: Final = 1000
_READ_ALOUD_EVERY: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressText:
    """What the header says.

    Attributes:
        share: How much is done, 0 to 1; None while that is unknown.
        answer: The time left as a range, or the phase in words.
        detail: Step and pass.
        gone: Time gone and end time.
        saved: What was saved last.
        still: Nothing moves: paused, stopped or failed.
    """

    share: float | None
    answer: str
    detail: str = ""
    gone: str = ""
    saved: str = ""
    still: bool = False


class ProgressHeader(Card):
    """Range left, step, bar, time gone, last save, and a row of figures.

    Attributes:
        bar: The progress bar.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._answer = label("", Role.PAGE_TITLE)
        self._detail = label("", Role.BODY, Tone.MUTED)
        self._percent = label("", Role.ANSWER)
        self._gone = label("", Role.CAPTION, Tone.MUTED)
        self._saved = label("", Role.CAPTION, Tone.MUTED)
        self._read_aloud = -1
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of the run")
        self._tiles = QHBoxLayout()
        self._tiles.setSpacing(Space.WIDE)
        row = QHBoxLayout()
        row.setSpacing(Space.WIDE)
        row.addLayout(self._left_side(), 1)
        row.addLayout(self._tiles)
        self.body.addLayout(row)

    def show_progress(self, text: ProgressText) -> None:
        """Show how far the run is."""
        self._answer.setText(text.answer)
        self._detail.setText(text.detail)
        self._gone.setText(text.gone)
        self._saved.setText(text.saved)
        set_look(self.bar, "tone", "muted" if text.still else "accent")
        if text.share is None:
            self._show_unknown(text)
            return
        self.bar.setRange(0, _SCALE)
        self.bar.setValue(round(text.share * _SCALE))
        percent = whole_percent(text.share)
        self._percent.setText(f"{percent} %")
        self._tell(text, percent)

    def add_tile(self, tile: MetricTile) -> None:
        """Add a figure at the right."""
        self._tiles.addWidget(tile)

    def add_divider(self) -> None:
        """Add a line between figures."""
        self._tiles.addWidget(line(vertical=True))

    def _show_unknown(self, text: ProgressText) -> None:
        # An empty bar, not a moving one: the words tell what is going on.
        self.bar.setRange(0, _SCALE)
        self.bar.setValue(0)
        self._percent.setText("")
        self.bar.setAccessibleDescription(text.answer)

    def _tell(self, text: ProgressText, percent: int) -> None:
        step = percent // _READ_ALOUD_EVERY
        if step == self._read_aloud:
            return
        self._read_aloud = step
        words = f"{percent} %, {text.answer}"
        self.bar.setAccessibleDescription(words)
        event = QAccessibleValueChangeEvent(self.bar, words)
        QAccessible.updateAccessibility(event)

    def _left_side(self) -> QVBoxLayout:
        first = QHBoxLayout()
        first.setSpacing(Space.MEDIUM)
        first.addWidget(self._answer)
        first.addWidget(self._detail)
        first.addStretch(1)
        first.addWidget(self._percent)
        last = QHBoxLayout()
        last.addWidget(self._gone)
        last.addStretch(1)
        last.addWidget(self._saved)
        column = QVBoxLayout()
        column.setSpacing(Space.SMALL)
        column.addLayout(first)
        column.addWidget(self.bar)
        column.addLayout(last)
        return column
