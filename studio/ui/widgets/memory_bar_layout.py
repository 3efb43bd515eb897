"""Where things go in a memory bar: pure geometry, tested without a window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from studio.ui.text import GIB
from studio.ui.widgets.memory_bar_state import MemoryBarState, Segment

_LABEL_INSET: Final = 10
_FIGURE_INSET: Final = 6
_MARK_GAP: Final = 8
_NICE_STEPS: Final = (0.25, 0.5, 1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100)
_TICKS: Final = 6


class BarHeight(IntEnum):
    """The heights of the bar itself, by where it stands."""

    PAGE = 40
    DETAILS = 24
    START = 16
    LIST = 12
    STATUS = 10


@dataclass(frozen=True, slots=True)
class Span:
    """A segment's place along the bar, in device-independent pixels."""

    segment: Segment
    left: float
    right: float

    @property
    def width(self) -> float:
        """The segment's length."""
        return self.right - self.left


@dataclass(frozen=True, slots=True)
class Label:
    """The text inside a segment: an optional name and its figure."""

    name: str
    figure: str
    inset: int


def spans(state: MemoryBarState, width: float, scale_bytes: int) -> tuple[Span, ...]:
    """The segments laid end to end over `width` pixels of `scale_bytes`.

    Edges fall on whole pixels, so that neighbours neither overlap nor gape.
    """
    placed, reached = [], 0
    for segment, held in state.segments:
        left = round(reached / scale_bytes * width)
        reached += held
        right = round(reached / scale_bytes * width)
        placed.append(Span(segment, left, right))
    return tuple(placed)


def blended(old: Sequence[Span], new: Sequence[Span], share: float) -> tuple[Span, ...]:
    """The spans `share` of the way from old to new; unknown ones grow from nothing."""
    before = {span.segment: span for span in old}
    result = []
    for span in new:
        start = before.get(span.segment, Span(span.segment, span.left, span.left))
        left = start.left + (span.left - start.left) * share
        right = start.right + (span.right - start.right) * share
        result.append(Span(span.segment, left, right))
    return tuple(result)


def label_for(
    span: Span,
    name: str,
    figure: str,
    text_width: Callable[[str], float],
) -> Label | None:
    """Name and figure if they fit, else the figure, else nothing."""
    both = text_width(f"{name} {figure}")
    if both + 2 * _LABEL_INSET <= span.width:
        return Label(name, figure, _LABEL_INSET)
    if text_width(figure) + 2 * _FIGURE_INSET <= span.width:
        return Label("", figure, _FIGURE_INSET)
    return None


def clear_of(label: Label, span: Span, extent: float, marks: Sequence[float]) -> Label:
    """Move a label to the right of the marks that would strike it out.

    Args:
        label: As `label_for` made it.
        span: The segment that it stands in.
        extent: The width of its text.
        marks: The positions of lines across the bar.

    Returns:
        The label as it was where there is no room beside the last such mark.
    """
    left = span.left + label.inset
    for mark in sorted(marks):
        if left - _MARK_GAP < mark < left + extent + _MARK_GAP:
            left = mark + _MARK_GAP
    if left + extent + _FIGURE_INSET > span.right:
        return label
    return replace(label, inset=round(left - span.left))


def tick_step_gib(scale_bytes: int) -> float:
    """The distance of axis ticks: a sixth of what is shown, as a round number."""
    wanted = scale_bytes / GIB / _TICKS
    decade = 1
    while wanted > _NICE_STEPS[-1] * decade:
        decade *= 10
    return min((step * decade for step in _NICE_STEPS), key=lambda s: abs(s - wanted))


def ticks_gib(scale_bytes: int) -> list[float]:
    """The axis ticks from 0 up to and excluding the right edge."""
    step = tick_step_gib(scale_bytes)
    result = []
    place = 0.0
    while place < scale_bytes / GIB - step / 20:
        result.append(place)
        place += step
    return result


def segment_at(placed: Sequence[Span], x: float) -> Segment | None:
    """The segment under a horizontal position."""
    for span in placed:
        if span.left <= x < span.right:
            return span.segment
    return None


def neighbour(
    placed: Sequence[Span], current: Segment | None, step: int
) -> Segment | None:
    """The next visible segment to the right (+1) or left (-1), stopping at the ends."""
    visible = [span.segment for span in placed if span.width > 0]
    if not visible:
        return None
    if current not in visible:
        return visible[0]
    place = visible.index(current) + step
    return visible[min(max(place, 0), len(visible) - 1)]
