"""What a run holds of main memory by step, and the band its peak should end in.

Where the whole card is measured, `memory_timeline` tells more; on a processor only the
run's own process is known.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.ui.charts.plot import Plot, dashed_pen, thin_pen
from studio.ui.charts.scale import GrowingRange, step_ticks
from studio.ui.charts.step_marks import APART, StepMarks
from studio.ui.fonts import MEDIUM, SEMI_BOLD, sans
from studio.ui.palette import current_tokens
from studio.ui.text import GIB, gib
from studio.ui.tokens import PointSize

_BAND_ALPHA: Final = 0.14
_FILL_ALPHA: Final = 0.55
_MARK_SIZE: Final = 9
_HEADROOM: Final = 1.2  # the highest point carries its name above it
_INSET: Final = 0.14


class MemoryLine(QWidget):
    """One area by step, with the predicted peak dashed and its range as a band."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Memory by step")
        self._steps: list[float] = []
        self._held: list[int] = []
        self._prediction: tuple[int, int, int] | None = None
        self._since = 0.0
        self._total = 1
        self._range = GrowingRange(floor=0.0)
        self._plot = Plot()
        self._area = self._plot.items.plot(fillLevel=0)
        self._low, self._high, self._peak = (self._plot.items.plot() for _ in range(3))
        self._band = pg.FillBetweenItem(self._low, self._high)
        self._highest = pg.ScatterPlotItem(size=_MARK_SIZE)
        self._highest_words = pg.TextItem("", anchor=(0.5, -0.3))
        self._peak_words = pg.TextItem("", anchor=(0.0, 0.0))
        self._marks = StepMarks(self._plot)
        self._set_up()
        self._colour()
        self._fit_x()

    def set_total(self, steps: int) -> None:
        """Let the x axis end at the run's last step."""
        self._total = max(1, steps)
        self._plot.limit_steps(self._total)
        ticks = [(tick, f"{tick:,}") for tick in step_ticks(self._total)]
        self._plot.set_ticks("bottom", ticks)
        if not self._plot.is_zoomed:
            self._fit_x()
        self._plot.tell_news()

    def set_prediction(
        self, peak: int, low: int, high: int, since: float = 0.0
    ) -> None:
        """Draw the predicted peak and its range, in bytes, from a step on."""
        self._prediction, self._since = (peak, low, high), since
        self._include(high)
        self._plot.tell_news()

    def set_marks(self, marks: Sequence[tuple[float, str]]) -> None:
        """Mark steps behind which something about the run changed, with its name."""
        self._marks.show(marks, self._total)

    def append(self, points: Iterable[tuple[float, int]]) -> None:
        """Add pairs of a step and bytes."""
        for step, held in points:
            self._steps.append(step)
            self._held.append(held)
            self._include(held)
        self._plot.tell_news()

    def clear(self) -> None:
        """Forget everything, for another run."""
        self._steps, self._held, self._prediction = [], [], None
        self._range = GrowingRange(floor=0.0)
        self._marks.show((), self._total)
        self._plot.show_all()
        self._plot.tell_news()

    def highest(self) -> tuple[float, int] | None:
        """The step and the bytes of the highest reading; None before the first."""
        if not self._held:
            return None
        place = int(np.argmax(self._held))
        return self._steps[place], self._held[place]

    def _include(self, size_bytes: int) -> None:
        self._range.include(0.0)
        self._range.include(size_bytes / GIB * _HEADROOM)

    def _set_up(self) -> None:
        self._area.setDownsampling(auto=True, method="peak")
        self._highest_words.setFont(sans(PointSize.CAPTION, SEMI_BOLD))
        self._peak_words.setFont(sans(PointSize.CAPTION, MEDIUM))
        marks = (self._band, self._highest, self._highest_words, self._peak_words)
        for item in marks:
            self._plot.items.addItem(item, ignoreBounds=True)
        self._plot.drawing_due.connect(self._draw)
        self._plot.colours_changed.connect(self._colour)
        self._plot.whole_wanted.connect(self._fit_x)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)

    def _draw(self) -> None:
        held = np.array(self._held, dtype=np.float64) / GIB
        self._area.setData(np.array(self._steps, dtype=np.float64), held)
        self._draw_prediction()
        self._draw_highest()
        if self._range.step:
            self._plot.items.setYRange(self._range.low, self._range.high, padding=0)
            ticks = self._range.ticks()
            self._plot.set_ticks("left", [(tick, f"{tick:g}") for tick in ticks])
            self._plot.set_grid(ticks[1:])
            self._keep_apart()

    def _keep_apart(self) -> None:
        """Let no mark's words hide those of the highest reading."""
        if (highest := self.highest()) is None:
            return
        low, high = self._range.low, self._range.high
        share = (highest[1] / GIB - low) / (high - low)
        beside = APART / 2 if self._is_above(highest[1]) else -APART / 2
        self._marks.keep_clear(share + beside)

    def _draw_prediction(self) -> None:
        prediction = self._prediction
        curves = (self._peak, self._low, self._high)
        self._peak_words.setVisible(prediction is not None)
        if prediction is None:
            for curve in curves:
                curve.setData([], [])
            return
        for curve, size in zip(curves, prediction, strict=True):
            curve.setData([self._since, self._total], [size / GIB] * 2)
        peak, low, high = (size / GIB for size in prediction)
        over = self._is_over()
        self._peak_words.setText(f"predicted peak {peak:.2f}")
        self._peak_words.setAnchor((0.0, -0.1) if over else (0.0, 1.1))
        self._peak_words.setPos(self._since, low if over else high)

    def _is_over(self) -> bool:
        """Whether more was held than predicted; its words change sides then.

        What was read at the step itself was still held by the recipe of before.
        """
        held = zip(self._steps, self._held, strict=True)
        since = self._since or -1
        highest = max((size for step, size in held if step > since), default=0)
        return self._is_above(highest)

    def _is_above(self, size_bytes: int) -> bool:
        """Whether a reading stands above the prediction, and so do its words."""
        return self._prediction is not None and size_bytes > self._prediction[0]

    def _draw_highest(self) -> None:
        highest = self.highest()
        self._highest.setVisible(highest is not None)
        self._highest_words.setVisible(highest is not None)
        if highest is None:
            self.setAccessibleDescription("")
            return
        step, held = highest
        words = f"highest {gib(held)}, step {step:,.0f}"
        self._highest.setData([step], [held / GIB])
        self._highest_words.setText(words)
        edge = self._total * _INSET
        x = min(max(step, edge), self._total - edge)
        self._highest_words.setAnchor((0.5, 1.4 if self._is_above(held) else -0.3))
        self._highest_words.setPos(x, held / GIB)
        self.setAccessibleDescription(f"now {gib(self._held[-1])} GiB, {words}")

    def _colour(self) -> None:
        tokens = current_tokens()
        fill = QColor(tokens.mem_activations)
        fill.setAlphaF(_FILL_ALPHA)
        self._area.setPen(thin_pen(tokens.text))
        self._area.setFillBrush(fill)
        self._peak.setPen(dashed_pen(tokens.text))
        for curve in (self._low, self._high):
            curve.setPen(QPen(Qt.PenStyle.NoPen))
        band = QColor(tokens.text)
        band.setAlphaF(_BAND_ALPHA)
        self._band.setBrush(band)
        self._highest.setPen(thin_pen(tokens.text, width=2))
        self._highest.setBrush(QColor(tokens.surface))
        self._highest_words.setColor(QColor(tokens.text))
        self._marks.colour()
        self._peak_words.setColor(QColor(tokens.text))

    def _fit_x(self) -> None:
        self._plot.show_steps(self._total)
