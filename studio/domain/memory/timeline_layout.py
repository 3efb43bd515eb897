"""Where things go in the picture of a step; window and command line draw the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from studio.domain.hardware import GIB
from studio.domain.memory.timeline import Timeline

Point = tuple[float, float]

LEFT, RIGHT, TOP, BOTTOM = 48.0, 12.0, 34.0, 36.0
"""Room round the plot: names of amounts, of the peak and of phases."""

_STEPS = (1, 2, 5)
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Band:
    """A phase: its name and where it lies."""

    phase: str
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Tick:
    """An amount of memory on the vertical axis."""

    words: str
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineLayout:
    """The picture in pixels, from the upper left corner.

    Attributes:
        allocated: The outline of live tensors, left to right.
        reserved: The outline of what the allocator held.
        bands: The phases; those of one name that follow each other are told apart.
        ticks: Amounts, from 0 upwards.
        peak: The highest point of live tensors.
        peak_words: What it is called.
        bottom: Where the plot stands.
        left, right: Where it begins and ends.
    """

    allocated: Sequence[Point]
    reserved: Sequence[Point]
    bands: Sequence[Band]
    ticks: Sequence[Tick]
    peak: Point
    peak_words: str
    bottom: float
    left: float
    right: float


def laid_out(timeline: Timeline, width: float, height: float) -> TimelineLayout:
    """Lay a step out over `width` by `height` pixels.

    Each point is as wide as any other: the picture shows the order of allocations,
    not the clock.
    """
    bottom, right = height - BOTTOM, width - RIGHT
    highest = max(*timeline.reserved, *timeline.allocated, 1)
    count = len(timeline.allocated)

    def x(place: float) -> float:
        return LEFT + place / count * (right - LEFT)

    def y(held: float) -> float:
        return bottom - held / highest * (bottom - TOP)

    def outline(held: Sequence[int]) -> Sequence[Point]:
        steps = ((x(place), x(place + 1), y(each)) for place, each in enumerate(held))
        return [point for a, b, level in steps for point in ((a, level), (b, level))]

    peak = timeline.peak_point
    most = timeline.allocated[peak]
    return TimelineLayout(
        allocated=outline(timeline.allocated),
        reserved=outline(timeline.reserved),
        bands=[Band(name, x(a), x(b)) for name, a, b in timeline.stretches()],
        ticks=[Tick(words, y(held)) for words, held in _ticks(highest)],
        peak=(x(peak + 0.5), y(most)),
        peak_words=f"peak {most / GIB:,.2f} GiB, {timeline.phase_at(peak)}",
        bottom=bottom,
        left=LEFT,
        right=right,
    )


def named_bands(bands: Sequence[Band], name_width: float) -> Sequence[Band]:
    """The phases that are named below the picture, from left to right.

    Each band that is wide enough; of a phase that never is, the last, whose name then
    hangs over.
    """
    wide = {band.phase for band in bands if band.right - band.left >= name_width}
    last = {band.phase: band for band in bands}
    return [
        band
        for band in bands
        if band.right - band.left >= name_width
        or (band.phase not in wide and band is last[band.phase])
    ]


def _ticks(highest: int) -> list[tuple[str, float]]:
    """Round amounts up to the highest, at most a handful."""
    wanted = highest / GIB / _TICKS
    unit = 1e-6
    while unit * _STEPS[-1] < wanted:
        unit *= 10
    step = next(s * unit for s in _STEPS if s * unit >= wanted)
    places = range(int(highest / GIB / step) + 1)
    return [
        (f"{place * step:g}" if place else "0 GiB", place * step * GIB)
        for place in places
    ]
