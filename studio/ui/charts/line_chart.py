"""A quantity by step: the raw values thin, their average on top, held-out marks."""

import math
from array import array
from collections.abc import Iterable, Sequence

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QColor, QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget
from typing_extensions import override

from studio.ui.charts.plot import (
    Plot,
    dashed_pen,
    ground_behind_words,
    series_colour,
    series_pen,
    thin_pen,
)
from studio.ui.charts.scale import GrowingRange, Smoother, spaced, step_ticks
from studio.ui.charts.step_marks import StepMarks
from studio.ui.fonts import SEMI_BOLD, sans
from studio.ui.palette import current_tokens
from studio.ui.text import count
from studio.ui.tokens import PointSize, Tokens

_RAW_ALPHA = 0.35
_MARK_SIZE = 8
_BEST_INSET = 0.06
_SCIENTIFIC_BELOW = 1e-3


class LineChart(QWidget):
    """A quantity by training step, such as the loss.

    Spikes stay visible: smoothing adds a line and takes none away. The y axis grows in
    steps and never shrinks until `clear`.
    """

    def __init__(
        self,
        name: str,
        *,
        smoothed: bool = True,
        lowest: float = -math.inf,
        parent: QWidget | None = None,
    ) -> None:
        """Make an empty chart.

        Args:
            name: What is shown, for screen readers.
            smoothed: Draw the average over thin raw values; else the values alone.
            lowest: The y axis never reaches below this.
            parent: The parent widget.
        """
        super().__init__(parent)
        self.setAccessibleName(name)
        self._smoothed = smoothed
        self._lowest = lowest
        self._total = 1
        self._pass_lines: list[pg.InfiniteLine] = []
        self._plot = Plot()
        self._raw = self._plot.items.plot()
        self._mean = self._plot.items.plot()
        self._held_out = self._plot.items.plot(symbol="o", symbolSize=_MARK_SIZE)
        self._best = pg.TextItem("", anchor=(0.5, 1.3))
        self._marks = StepMarks(self._plot)
        self._set_up()
        self._reset()
        self._colour()
        self._fit_x()

    def append(self, points: Iterable[tuple[float, float]]) -> None:
        """Add (step, value) pairs; what is not a number leaves a gap."""
        for step, value in points:
            self._steps.append(step)
            self._values.append(value if math.isfinite(value) else math.nan)
            self._means.append(self._smoother.add(value))
            self._range.include(value)
        self._plot.tell_news()

    def append_held_out(self, points: Iterable[tuple[float, float]]) -> None:
        """Add (step, value) pairs of the held-out rows."""
        for step, value in points:
            if math.isfinite(value):
                self._held_out_points.append((step, value))
                self._range.include(value)
        self._plot.tell_news()

    def set_total(self, steps: int, passes: Iterable[float] = ()) -> None:
        """Let the x axis end at the run's last step.

        Args:
            steps: Steps of the whole run.
            passes: The steps at which a new pass over the data begins.
        """
        self._total = max(1, steps)
        self._plot.limit_steps(self._total)
        self._plot.set_ticks("bottom", [(t, f"{t:,}") for t in step_ticks(self._total)])
        self._place_pass_lines(list(passes))
        if not self._plot.is_zoomed:
            self._fit_x()

    def set_marks(self, marks: Sequence[tuple[float, str]]) -> None:
        """Mark steps behind which something about the run changed, with its name."""
        self._marks.show(marks, self._total)
        self._tell()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._range.step:  # another height has room for other ticks
            self._plot.tell_news()

    def clear(self) -> None:
        """Forget everything, for another run."""
        self._reset()
        self._marks.show((), self._total)
        self._plot.show_all()
        self._plot.tell_news()

    def latest(self) -> float | None:
        """The last value; None before the first."""
        return self._values[-1] if self._values else None

    def _draw(self) -> None:
        steps = np.frombuffer(self._steps, dtype=np.float64).copy()
        values = np.frombuffer(self._values, dtype=np.float64).copy()
        self._raw.setData(steps, values, connect="finite")
        if self._smoothed:
            means = np.frombuffer(self._means, dtype=np.float64).copy()
            self._mean.setData(steps, means, connect="finite")
        self._draw_held_out()
        if self._range.step:
            self._apply_y_range()
        self._tell()

    def _colour(self) -> None:
        tokens = current_tokens()
        colour = series_colour(tokens, 1)
        self._mean.setPen(series_pen(tokens, 1))
        if self._smoothed:
            self._raw.setPen(thin_pen(colour, _RAW_ALPHA))
        else:
            self._raw.setPen(series_pen(tokens, 1, width=1.5))
        self._held_out.setPen(series_pen(tokens, 2))
        self._held_out.setSymbolPen(series_pen(tokens, 2).color(), width=2)
        self._held_out.setSymbolBrush(QColor(tokens.surface))
        self._best.setColor(QColor(tokens.text))
        self._best.fill = ground_behind_words(tokens)
        self._marks.colour()
        for line in self._pass_lines:
            self._colour_pass_line(line, tokens)

    def _fit_x(self) -> None:
        self._plot.show_steps(self._total)

    def _set_up(self) -> None:
        for curve in (self._raw, self._mean):
            curve.setDownsampling(auto=True, method="peak")
            curve.setClipToView(True)
        self._best.setFont(sans(PointSize.CAPTION, SEMI_BOLD))
        self._plot.items.addItem(self._best, ignoreBounds=True)
        self._plot.drawing_due.connect(self._draw)
        self._plot.colours_changed.connect(self._colour)
        self._plot.whole_wanted.connect(self._fit_x)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)

    def _reset(self) -> None:
        self._steps, self._values, self._means = array("d"), array("d"), array("d")
        self._held_out_points: list[tuple[float, float]] = []
        self._smoother = Smoother()
        self._range = GrowingRange(floor=self._lowest)

    def _draw_held_out(self) -> None:
        points = self._held_out_points
        self._held_out.setData([p[0] for p in points], [p[1] for p in points])
        self._best.setVisible(len(points) > 1)  # one alone is no best
        if points:
            step, value = min(points, key=lambda point: point[1])
            self._best.setText(f"{value:.3f} best")
            edge = self._total * _BEST_INSET
            self._best.setPos(min(max(step, edge), self._total - edge), value)

    def _apply_y_range(self) -> None:
        self._plot.items.setYRange(self._range.low, self._range.high, padding=0)
        ticks = spaced(self._range.ticks(), self._plot.items.height())
        self._plot.set_ticks(
            "left", [(t, tick_words(t, self._range.step)) for t in ticks]
        )
        self._plot.set_grid([tick for tick in ticks if tick > self._range.low])

    def _place_pass_lines(self, passes: list[float]) -> None:
        for line in self._pass_lines:
            self._plot.items.removeItem(line)
        self._pass_lines = []
        for number, step in enumerate(passes, start=2):
            line = pg.InfiniteLine(
                pos=step,
                angle=90,
                label=f"pass {number}",
                labelOpts={"position": 0.95, "anchors": [(0, 0), (0, 0)]},
            )
            line.label.setFont(sans(PointSize.CAPTION))
            self._colour_pass_line(line, current_tokens())
            self._plot.items.addItem(line, ignoreBounds=True)
            self._pass_lines.append(line)

    @staticmethod
    def _colour_pass_line(line: pg.InfiniteLine, tokens: Tokens) -> None:
        line.setPen(dashed_pen(tokens.border_strong, 1.0))
        line.label.setColor(QColor(tokens.muted))

    def _tell(self) -> None:
        parts = []
        if self._values:
            steps = count(len(self._values), "step")
            parts += [steps, f"latest {self._values[-1]:.4g}"]
        if self._held_out_points:
            step, value = self._held_out_points[-1]
            parts.append(f"held-out {value:.4g} at step {step:,.0f}")
        self.setAccessibleDescription(", ".join((*parts, *self._marks.words)))


def tick_words(value: float, step: float) -> str:
    """A tick's figure with as many decimals as its step needs, such as ``1.5e-4``."""
    if value and step < _SCIENTIFIC_BELOW:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:,.{decimals}f}" if value else "0"
