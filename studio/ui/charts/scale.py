"""Axes that grow in steps and never shrink during a run: pure arithmetic."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_NICE: Final = (1.0, 2.0, 4.0, 5.0, 10.0)
_INTERVALS: Final = 4
_ROUNDING: Final = 1e-9
_TICK_ROOM: Final = 20
_FEWEST: Final = 2


def nice_step(span: float, intervals: int = _INTERVALS) -> float:
    """The round number nearest above `span` divided into `intervals`."""
    wanted = span / intervals
    magnitude: float = 10.0 ** math.floor(math.log10(wanted))
    for factor in _NICE:
        if factor * magnitude >= wanted * (1 - _ROUNDING):
            return factor * magnitude
    return 10 * magnitude


@dataclass(slots=True)
class GrowingRange:
    """The range of a y axis, widened to round numbers when a value leaves it.

    Attributes:
        low: Lower end.
        high: Upper end; equal to `low` before the first value.
        step: The distance of its ticks; 0 before the first value.
        floor: The range never reaches below this.
    """

    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    floor: float = -math.inf
    _least: float = math.inf
    _most: float = -math.inf

    def include(self, value: float) -> bool:
        """Widen the range so that it holds a value; True when it changed.

        What is not a number leaves the range as it is, and nothing but zeros opens
        none: a warm-up's first rate tells nothing about the size of the others.
        """
        if not math.isfinite(value):
            return False
        self._least, self._most = min(self._least, value), max(self._most, value)
        if self._least == self._most == 0.0:
            return False
        if self.step and self.low <= value <= self.high:
            return False
        self._widen()
        return True

    def ticks(self) -> list[float]:
        """The multiples of the step between the ends."""
        if self.step == 0.0:
            return []
        first = math.ceil(self.low / self.step - _ROUNDING)
        last = math.floor(self.high / self.step + _ROUNDING)
        return [place * self.step for place in range(first, last + 1)]

    def _widen(self) -> None:
        # A single value is shown in the middle of a range of half its size.
        margin = (abs(self._most) / 4 or 0.5) if self._least == self._most else 0.0
        least, most = self._least - margin, self._most + margin
        step = nice_step(most - least)
        low = min(math.floor(least / step + _ROUNDING) * step, self._least)
        low = max(self.floor, low)
        high = max(math.ceil(most / step - _ROUNDING) * step, self._most)
        if self.step:
            low, high = min(low, self.low), max(high, self.high)
        self.low, self.high, self.step = low, high, nice_step(high - low)


class Smoother:
    """An exponential moving average that starts at the first value, not at 0.

    The bias of the zero start is divided out, as in Adam (Kingma and Ba, 2015,
    section 3).
    """

    def __init__(self, weight: float = 0.9) -> None:
        """Smooth with `weight` on the past, 0 to 1."""
        self._weight = weight
        self._mean = 0.0
        self._share = 0.0

    def add(self, value: float) -> float:
        """The average after a value; what is not a number is passed over."""
        if math.isfinite(value):
            self._mean = self._weight * self._mean + (1 - self._weight) * value
            self._share = self._weight * self._share + (1 - self._weight)
        return self._mean / self._share if self._share else math.nan


def spaced(ticks: Sequence[float], height: float) -> list[float]:
    """Every tick of a y axis, or every second and so on where it is low.

    Args:
        ticks: From the bottom to the top.
        height: Of the whole plot, in pixels.
    """
    kept = list(ticks)
    while len(kept) > _FEWEST and height / len(kept) < _TICK_ROOM:
        kept = kept[::2]
    return kept


def step_ticks(total: int, intervals: int = 6) -> list[int]:
    """Ticks of a step axis: 0, the total, and equal parts between."""
    if total <= 0:
        return [0]
    parts = min(intervals, total)
    return sorted({round(total * place / parts) for place in range(parts + 1)})
