"""A reading of the card over the last five minutes: a line, or areas on one another."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyqtgraph as pg
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.ui.charts.plot import Plot, dashed_pen, series_colour, series_pen, thin_pen
from studio.ui.charts.scale import nice_step
from studio.ui.fonts import MEDIUM, sans
from studio.ui.palette import current_tokens
from studio.ui.tokens import PointSize, Tokens

SPAN_S: Final = 300.0
_FILL_ALPHA: Final = 0.2
# pyqtgraph drops a label that reaches too far past the axis, so the first is moved in.
_TICKS: Final = ((6 - SPAN_S, "5 min"), (-SPAN_S / 2, "2.5 min"), (0.0, "now"))
_INTERVALS: Final = 3


@dataclass(frozen=True, slots=True)
class Area:
    """One of several areas that stand on one another.

    Attributes:
        name: What it is, for screen readers.
        colour: Of its ground, from the tokens.
    """

    name: str
    colour: Callable[[Tokens], str]


class HistoryChart(QWidget):
    """A line that moves left as time goes by; "now" is at the right."""

    def __init__(
        self,
        name: str,
        low: float,
        high: float,
        parent: QWidget | None = None,
        *,
        areas: Sequence[Area] = (),
    ) -> None:
        """Make an empty chart between fixed ends.

        Args:
            name: What is shown, for screen readers.
            low: Lower end of the y axis.
            high: Upper end of the y axis.
            parent: The parent widget.
            areas: Stood on one another, the lowest first; none for one line.
        """
        super().__init__(parent)
        self.setAccessibleName(name)
        self._areas = tuple(areas)
        self._points: deque[tuple[float, ...]] = deque()
        self._plot = Plot()
        # The highest area is drawn first; each lower one covers its part.
        self._curves = [
            self._plot.items.plot(fillLevel=low) for _ in range(max(1, len(areas)))
        ]
        for curve in self._curves:
            curve.setClipToView(True)
        self._limit = pg.InfiniteLine(
            angle=0,
            label="",
            labelOpts={"position": 0.02, "anchors": [(0, 0), (0, 0)]},
        )
        self._limit.label.setFont(sans(PointSize.CAPTION, MEDIUM))
        self._limit.hide()
        self._plot.items.addItem(self._limit, ignoreBounds=True)
        self._plot.items.setMouseEnabled(x=False, y=False)
        self._plot.items.setXRange(-SPAN_S, 0, padding=0)
        self._plot.set_ticks("bottom", _TICKS)
        self._plot.drawing_due.connect(self._draw)
        self._plot.colours_changed.connect(self._colour)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._plot)
        self.set_ends(low, high)
        self._colour()

    def set_ends(self, low: float, high: float) -> None:
        """Change the ends of the y axis, when another card is looked at."""
        step = nice_step(high - low, _INTERVALS)
        self._plot.items.setYRange(low, high, padding=0)
        ticks = np.arange(low, high + step / 2, step).tolist()
        self._plot.set_ticks("left", [(tick, f"{tick:g}") for tick in ticks])
        self._plot.set_grid(ticks[1:])
        for curve in self._curves:
            curve.setFillLevel(low)

    def set_limit(self, value: float | None, words: str = "") -> None:
        """Draw a dashed line with its name, or none."""
        self._limit.setVisible(value is not None)
        if value is not None:
            self._limit.setValue(value)
            self._limit.label.setFormat(words)

    def append(self, time_s: float, *values: float | None) -> None:
        """Add a reading; None leaves a gap.

        Args:
            time_s: When it was taken, in seconds of any steady clock.
            values: The reading; with areas, one for each, the lowest first.
        """
        known = (math.nan if value is None else value for value in values)
        self._points.append((time_s, *known))
        while self._points[0][0] < time_s - SPAN_S:
            self._points.popleft()
        self._plot.tell_news()

    def clear(self) -> None:
        """Forget all readings, when another card is looked at."""
        self._points.clear()
        self._plot.tell_news()

    def _draw(self) -> None:
        if not self._points:
            for curve in self._curves:
                curve.setData([], [])
            self.setAccessibleDescription("")
            return
        data = np.array(self._points, dtype=np.float64)
        heights = np.cumsum(data[:, 1:], axis=1)
        for curve, height in zip(self._curves, heights.T[::-1], strict=True):
            curve.setData(data[:, 0] - data[-1, 0], height, connect="finite")
        self.setAccessibleDescription(self._words(data[-1, 1:].tolist()))

    def _words(self, latest: Sequence[float]) -> str:
        if any(map(math.isnan, latest)):
            return "no reading"
        if not self._areas:
            return f"now {latest[0]:g}"
        pairs = zip(self._areas, latest, strict=True)
        return "now " + ", ".join(f"{area.name} {value:.2f}" for area, value in pairs)

    def _colour(self) -> None:
        tokens = current_tokens()
        if not self._areas:
            fill = QColor(series_colour(tokens, 1))
            fill.setAlphaF(_FILL_ALPHA)
            self._curves[0].setPen(series_pen(tokens, 1))
            self._curves[0].setFillBrush(fill)
        for curve, area in zip(self._curves, self._areas[::-1], strict=False):
            curve.setPen(thin_pen(area.colour(tokens)))
            curve.setFillBrush(QColor(area.colour(tokens)))
        self._limit.setPen(dashed_pen(tokens.text))
        self._limit.label.setColor(QColor(tokens.text))
