"""The memory bar turned into time: what was measured, and the band it should end in.

What a live reading can't tell apart is one area, in the colour of the activations, as
in the live bars.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.ui.charts.plot import Plot, dashed_pen, ground_behind_words, thin_pen
from studio.ui.charts.scale import step_ticks
from studio.ui.charts.step_marks import StepMarks
from studio.ui.fonts import MEDIUM, SEMI_BOLD, sans
from studio.ui.palette import current_tokens
from studio.ui.text import GIB, gib
from studio.ui.tokens import PointSize, Tokens
from studio.ui.widgets.memory_bar_layout import tick_step_gib

_HEADROOM_ABOVE: Final = 1.12
_LIMIT_LABEL: Final = {"position": 0.99, "anchors": [(1, 1), (1, 1)]}
_NAME_HEIGHT: Final = 16
_BAND_ALPHA: Final = 0.14
_MARK_SIZE: Final = 9
_MOST_POINTS: Final = 2_000
_FEWEST_TO_NAME: Final = 8
_AREA_NAMES: Final = ("activations, loss, overhead", "weights", "other programs")

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TimelineSample:
    """One reading of the card during a run, in bytes.

    Attributes:
        step: The optimizer step; 0 before the first.
        other: Other programs.
        weights: The base model.
        adapter: Adapter, its gradients and optimizer states.
        rest: Activations, loss and overhead together.
    """

    step: float
    other: int
    weights: int
    adapter: int
    rest: int

    @property
    def total(self) -> int:
        """Everything on the card."""
        return self.other + self.weights + self.adapter + self.rest


@dataclass(frozen=True, slots=True)
class PredictedPeak:
    """The run's own predicted peak, without the other programs, in bytes.

    Attributes:
        peak, low, high: The peak and its range.
        since: The step from which on it holds.
    """

    peak: int
    low: int
    high: int
    since: float = 0.0


class MemoryTimeline(QWidget):
    """Stacked areas by step, below the card's limit, with the predicted peak dashed."""

    def __init__(self, total_bytes: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Memory by step")
        self._samples: list[TimelineSample] = []
        self._prediction: PredictedPeak | None = None
        self._total_steps = 1
        self._total_bytes = total_bytes
        self._plot = Plot()
        self._areas = [
            self._plot.items.plot(fillLevel=0, antialias=False) for _ in range(4)
        ]
        self._low, self._high, self._peak = (self._plot.items.plot() for _ in range(3))
        self._band = pg.FillBetweenItem(self._low, self._high)
        self._limit = pg.InfiniteLine(angle=0, label="", labelOpts=_LIMIT_LABEL)
        self._names = [pg.TextItem(name, anchor=(0.5, 0.5)) for name in _AREA_NAMES]
        self._highest = pg.ScatterPlotItem(size=_MARK_SIZE)
        self._highest_words = pg.TextItem("", anchor=(0.5, 1.4))
        self._peak_words = pg.TextItem("", anchor=(1.0, 1.1))
        self._marks = StepMarks(self._plot)
        self._set_up()
        self.set_card(total_bytes)
        self._colour()
        self._fit_x()

    def set_card(self, total_bytes: int) -> None:
        """Draw the limit of a card."""
        self._total_bytes = total_bytes
        limit = total_bytes / GIB
        self._limit.setValue(limit)
        self._limit.label.setFormat(f"card limit {gib(total_bytes)}")
        self._plot.items.setYRange(0, limit * _HEADROOM_ABOVE, padding=0)
        step = tick_step_gib(total_bytes) * 2
        places = np.arange(0, limit, step).tolist()
        self._plot.set_ticks("left", [(place, f"{place:g}") for place in places])
        self._plot.set_grid(places[1:])

    def set_total(self, steps: int) -> None:
        """Let the x axis end at the run's last step."""
        self._total_steps = max(1, steps)
        self._plot.limit_steps(self._total_steps)
        ticks = [(tick, f"{tick:,}") for tick in step_ticks(self._total_steps)]
        self._plot.set_ticks("bottom", ticks)
        if not self._plot.is_zoomed:
            self._fit_x()
        self._plot.tell_news()

    def set_prediction(self, prediction: PredictedPeak | None) -> None:
        """Draw the predicted peak with its band, or none."""
        self._prediction = prediction
        self._plot.tell_news()

    def set_marks(self, marks: Sequence[tuple[float, str]]) -> None:
        """Mark steps behind which something about the run changed, with its name."""
        self._marks.show(marks, self._total_steps)

    def append(self, samples: Iterable[TimelineSample]) -> None:
        """Add readings, in the order of their steps."""
        self._samples.extend(samples)
        self._plot.tell_news()

    def clear(self) -> None:
        """Forget everything, for another run."""
        self._samples.clear()
        self._prediction = None
        self._marks.show((), self._total_steps)
        self._plot.show_all()
        self._plot.tell_news()

    def highest(self) -> TimelineSample | None:
        """The reading with the most memory in use, without the other programs."""
        if not self._samples:
            return None
        return max(self._samples, key=lambda sample: sample.total - sample.other)

    def _set_up(self) -> None:
        for curve in (*self._areas, self._low, self._high, self._peak):
            curve.setClipToView(True)
        bold, medium = (
            sans(PointSize.CAPTION, SEMI_BOLD),
            sans(PointSize.CAPTION, MEDIUM),
        )
        self._highest_words.setFont(bold)
        self._peak_words.setFont(medium)
        self._limit.label.setFont(medium)
        for name in self._names:
            name.setFont(medium)
        marks = (
            self._limit,
            *self._names,
            self._highest,
            self._highest_words,
            self._peak_words,
        )
        for item in (self._band, *marks):
            self._plot.items.addItem(item, ignoreBounds=True)
        self._plot.drawing_due.connect(self._draw)
        self._plot.colours_changed.connect(self._colour)
        self._plot.whole_wanted.connect(self._fit_x)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)

    def _draw(self) -> None:
        shown = thinned(self._samples, _MOST_POINTS)
        steps = np.array([sample.step for sample in shown], dtype=np.float64)
        held = np.array(
            [(s.other, s.weights, s.adapter, s.rest) for s in shown], dtype=np.float64
        ).reshape(-1, 4)
        heights = np.cumsum(held, axis=1) / GIB
        # The areas are opaque and drawn from the whole down to its first part.
        for place, area in enumerate(self._areas):
            area.setData(steps, heights[:, 3 - place])
        self._place_names(steps, heights)
        self._draw_prediction(shown)
        self._draw_highest()

    def _place_names(self, steps: "FloatArray", heights: "FloatArray") -> None:
        """Name each area in its middle, where it is thick enough to hold a line."""
        places = (3, 1, 0)
        pixel = self._plot.items.getViewBox().viewPixelSize()[1]
        for name, part in zip(self._names, places, strict=True):
            name.setVisible(False)
            if len(steps) < _FEWEST_TO_NAME:
                continue
            middle = len(steps) // 2
            top = heights[middle, part]
            bottom = heights[middle, part - 1] if part else 0.0
            name.setVisible(bool(top - bottom > _NAME_HEIGHT * pixel))
            name.setPos((steps[0] + steps[-1]) / 2, (top + bottom) / 2)

    def _draw_prediction(self, shown: list[TimelineSample]) -> None:
        curves = (self._peak, self._low, self._high)
        prediction = self._prediction
        self._peak_words.setVisible(prediction is not None)
        if prediction is None:
            for curve in curves:
                curve.setData([], [])
            return
        since = prediction.since
        others = [(s.step, s.other) for s in shown if s.step >= since]
        others = others or [(since, shown[-1].other if shown else 0)]
        others = [(since, others[0][1]), *others, (self._total_steps, others[-1][1])]
        steps = np.array([step for step, _ in others], dtype=np.float64)
        ground = np.array([other for _, other in others], dtype=np.float64)
        amounts = (prediction.peak, prediction.low, prediction.high)
        for curve, amount in zip(curves, amounts, strict=True):
            curve.setData(steps, (ground + amount) / GIB)
        self._peak_words.setText(f"predicted peak {gib(prediction.peak)}")
        self._peak_words.setPos(self._total_steps, (ground[-1] + prediction.high) / GIB)

    def _draw_highest(self) -> None:
        highest = self.highest()
        self._highest.setVisible(highest is not None)
        self._highest_words.setVisible(highest is not None)
        if highest is None:
            self.setAccessibleDescription("")
            return
        used = gib(highest.total - highest.other)
        words = f"highest {used}, step {highest.step:,.0f}"
        self._highest.setData([highest.step], [highest.total / GIB])
        self._highest_words.setText(words)
        edge = self._total_steps * 0.14
        x = min(max(highest.step, edge), self._total_steps - edge)
        self._highest_words.setPos(x, highest.total / GIB)
        latest = self._samples[-1]
        self.setAccessibleDescription(f"now {gib(latest.total)} GiB, {words}")

    def _colour(self) -> None:
        tokens = current_tokens()
        for area, colour in zip(self._areas, _area_colours(tokens), strict=True):
            area.setPen(QPen(Qt.PenStyle.NoPen))
            area.setFillBrush(QColor(colour))
        inks = (
            tokens.mem_activations_label,
            tokens.mem_weights_label,
            tokens.mem_other_label,
        )
        for name, ink in zip(self._names, inks, strict=True):
            name.setColor(QColor(ink))
        self._areas[0].setPen(thin_pen(tokens.text))
        self._peak.setPen(dashed_pen(tokens.text))
        for curve in (self._low, self._high):
            curve.setPen(QPen(Qt.PenStyle.NoPen))
        band = QColor(tokens.text)
        band.setAlphaF(_BAND_ALPHA)
        self._band.setBrush(band)
        self._limit.setPen(thin_pen(tokens.danger, width=2))
        self._limit.label.setColor(QColor(tokens.danger))
        self._highest.setPen(thin_pen(tokens.text, width=2))
        self._highest.setBrush(QColor(tokens.surface))
        self._highest_words.setColor(QColor(tokens.text))
        self._marks.colour()
        self._highest_words.fill = ground_behind_words(tokens)
        self._peak_words.setColor(QColor(tokens.text))

    def _fit_x(self) -> None:
        self._plot.show_steps(self._total_steps)


def thinned(samples: list[TimelineSample], most: int) -> list[TimelineSample]:
    """At most about `most` samples, keeping the highest of each stretch.

    Args:
        samples: Readings in order.
        most: How many points are worth drawing.
    """
    stretch = -(-len(samples) // most)
    if stretch <= 1:
        return samples
    starts = range(0, len(samples), stretch)
    return [
        max(samples[start : start + stretch], key=lambda s: s.total) for start in starts
    ]


def _area_colours(tokens: Tokens) -> tuple[str, str, str, str]:
    """The colours from the whole stack down to its first part."""
    return (
        tokens.mem_activations,
        tokens.mem_adapter,
        tokens.mem_weights,
        tokens.mem_other,
    )
