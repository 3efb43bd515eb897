"""Named vertical marks at the steps of a chart, where something about a run changed."""

from collections.abc import Sequence
from typing import Final

import pyqtgraph as pg
from PySide6.QtGui import QColor

from studio.ui.charts.plot import Plot, ground_behind_words, thin_pen
from studio.ui.fonts import MEDIUM, sans
from studio.ui.palette import current_tokens
from studio.ui.tokens import PointSize

_HIGHEST: Final = 0.72  # share of the plot's height; above it stand other words
APART: Final = 0.13
"""Share of the plot's height from one row of words to the next."""
_ROWS: Final = 4
_RIGHT_OF_LINE: Final = [(-0.03, 0.5), (-0.03, 0.5)]
_LEFT_OF_LINE: Final = [(1.03, 0.5), (1.03, 0.5)]
_TURNS_AT: Final = 0.6


class StepMarks:
    """The marks of one plot; words of neighbours stand one below the other."""

    def __init__(self, plot: Plot) -> None:
        """Make a plot's marks, none at first."""
        self._plot = plot
        self._lines: list[pg.InfiniteLine] = []
        self._marks: tuple[tuple[float, str], ...] = ()
        self._total = 1.0

    @property
    def words(self) -> tuple[str, ...]:
        """What the marks say, each with its step, for screen readers."""
        return tuple(f"{name} behind step {step:,.0f}" for step, name in self._marks)

    def show(self, marks: Sequence[tuple[float, str]], total: float) -> None:
        """Show marks in place of those before.

        Args:
            marks: Pairs of a step and what changed behind it.
            total: Steps of the whole run.
        """
        if (tuple(marks), total) == (self._marks, self._total):
            return
        self._marks, self._total = tuple(marks), total
        for line in self._lines:
            self._plot.items.removeItem(line)
        self._lines = [self._line(n, *mark) for n, mark in enumerate(self._marks)]
        self.colour()

    def keep_clear(self, share: float) -> None:
        """Leave a row to other words, moving up rather than down.

        Args:
            share: Where their middle stands, as a share of the plot's height.
        """
        rows = [_place(0), _place(-1), *(_place(n) for n in range(1, _ROWS))]
        free = [place for place in rows if abs(place - share) >= APART]
        for number, line in enumerate(self._lines):
            line.label.setPosition(free[number % len(free)])

    def colour(self) -> None:
        """Take the colours of the theme in force."""
        tokens = current_tokens()
        for line in self._lines:
            line.setPen(thin_pen(tokens.warning, width=2))
            line.label.setColor(QColor(tokens.text))
            line.label.fill = ground_behind_words(tokens)

    def _line(self, number: int, step: float, name: str) -> pg.InfiniteLine:
        is_late = step > self._total * _TURNS_AT
        line = pg.InfiniteLine(
            pos=step,
            angle=90,
            label=name,
            labelOpts={
                "position": _place(number % _ROWS),
                "anchors": _LEFT_OF_LINE if is_late else _RIGHT_OF_LINE,
            },
        )
        line.label.setFont(sans(PointSize.CAPTION, MEDIUM))
        self._plot.items.addItem(line, ignoreBounds=True)
        return line


def _place(row: int) -> float:
    """Where a row of words stands, as a share of the plot's height."""
    return _HIGHEST - APART * row
