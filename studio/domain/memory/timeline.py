"""The memory of one training step from its first allocation to its last, as a picture.

A step makes thousands of allocations; a picture has room for a few hundred. Each point
stands for a stretch of them and holds the highest that it came to, so that no peak is
lost, and no stretch reaches over the border of a phase.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

MOST_POINTS = 200


@dataclass(frozen=True, slots=True)
class PhaseMark:
    """Where a phase begins: at which point of the picture."""

    phase: str
    point: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """One training step.

    Attributes:
        allocated: Bytes of live tensors, the highest of each stretch.
        reserved: Bytes that the allocator held, the highest of each stretch.
        marks: The phases, in order; the first begins at point 0.
    """

    allocated: tuple[int, ...]
    reserved: tuple[int, ...]
    marks: tuple[PhaseMark, ...]

    @property
    def peak_point(self) -> int:
        """The first point at which live tensors take the most."""
        return self.allocated.index(max(self.allocated))

    def phase_at(self, point: int) -> str:
        """The phase that a point belongs to."""
        return next(m.phase for m in reversed(self.marks) if m.point <= point)

    def stretches(self) -> Iterator[tuple[str, int, int]]:
        """Each phase with its first point and the one behind its last."""
        ends = [mark.point for mark in self.marks[1:]] + [len(self.allocated)]
        for mark, end in zip(self.marks, ends, strict=True):
            yield mark.phase, mark.point, end


def timeline_of(
    allocated: Sequence[int],
    reserved: Sequence[int],
    phases: Sequence[tuple[int, str]],
    most: int = MOST_POINTS,
) -> Timeline | None:
    """Thin out what was held after each allocation and release of a step.

    Args:
        allocated: Bytes of live tensors after each event.
        reserved: Bytes that the allocator held then.
        phases: (event, phase that begins there), in order; the first begins at 0.
        most: How many points are wanted; each phase has at least one.

    Returns:
        The picture's points; None where nothing happened.
    """
    if not phases or not allocated:
        return None
    points: tuple[list[int], list[int]] = ([], [])
    marks: list[PhaseMark] = []
    ends = [at for at, _ in phases[1:]] + [len(allocated)]
    for (begin, phase), end in zip(phases, ends, strict=True):
        if begin == end:
            continue
        marks.append(PhaseMark(phase, len(points[0])))
        share = max(1, most * (end - begin) // len(allocated))
        for first, last in _cuts(begin, end, share):
            points[0].append(max(allocated[first:last]))
            points[1].append(max(reserved[first:last]))
    return Timeline(tuple(points[0]), tuple(points[1]), tuple(marks))


def _cuts(begin: int, end: int, parts: int) -> Iterator[tuple[int, int]]:
    """A stretch cut into so many parts of about one length, none of them empty."""
    parts = min(parts, end - begin)
    edges = [begin + (end - begin) * part // parts for part in range(parts + 1)]
    yield from pairwise(edges)
