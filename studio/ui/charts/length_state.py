"""What the length histogram shows, and where its line may stand; free of Qt."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from studio.domain.token_lengths import TokenLengths

USUAL_WIDTH: Final = 128
"""Tokens of a bar, unless the rows are so short or so long that others show more."""
SHORTEST_LINE: Final = 16
LONGEST_LINE: Final = 1_048_576

_FEW_BARS: Final = 10
_MANY_BARS: Final = 64
_NARROWEST: Final = 8
_PAGE: Final = 4  # steps
_LINE_FARTHEST: Final = 2  # times the longest row; a line beyond is pinned at the edge
_STEPS: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class LengthBars:
    """Rows by their lengths.

    Attributes:
        width: Tokens of a bar.
        rows: How many rows are in each, from length 0 on; a row of exactly a bar's
            upper edge belongs to it.
        shortest, longest: Of the rows, in tokens.
    """

    width: int = USUAL_WIDTH
    rows: tuple[int, ...] = ()
    shortest: int = 0
    longest: int = 0

    @property
    def step(self) -> int:
        """How far one key moves the line; a page is four of them."""
        return min(self.width, USUAL_WIDTH)

    def moved(self, line: int, steps: int) -> int:
        """The line, so many steps on, at a multiple of the step."""
        moved = (line // self.step + steps) * self.step
        if steps < 0 and line % self.step:
            moved += self.step
        return within(moved)

    def paged(self, line: int, pages: int) -> int:
        """The line, so many pages on."""
        return self.moved(line, pages * _PAGE)

    def cut_of(self, bar: int, line: int, cut: int) -> int:
        """How many rows of a bar are longer than the line.

        Args:
            bar: Its place.
            line: In tokens.
            cut: How many rows of all bars are.
        """
        if line <= bar * self.width:
            return self.rows[bar]
        if line >= (bar + 1) * self.width:
            return 0
        return max(0, cut - sum(self.rows[bar + 1 :]))

    def farthest(self, line: int) -> int:
        """Where the axis ends, in tokens, so that rows and line both show."""
        wanted = max(self.longest, min(line, _LINE_FARTHEST * self.longest), 1)
        return -(-wanted // self.width) * self.width


def bars_of(lengths: TokenLengths) -> LengthBars:
    """Count rows by their lengths."""
    if not lengths.rows:
        return LengthBars()
    width = _width_for(lengths.longest)
    bars = -(-max(1, lengths.longest) // width)
    below = [bisect_right(lengths.tokens, edge * width) for edge in range(bars + 1)]
    rows = [upper - lower for lower, upper in pairwise(below)]
    rows[0] += below[0]
    return LengthBars(width, tuple(rows), lengths.tokens[0], lengths.longest)


def within(line: int) -> int:
    """A length that a recipe takes."""
    return min(max(line, SHORTEST_LINE), LONGEST_LINE)


def ticks(farthest: int, most: int) -> list[int]:
    """Round figures for an axis from 0, no more than so many above it."""
    unit = 1
    while True:
        for step in _STEPS:
            if farthest / (step * unit) <= most:
                return list(range(0, farthest + 1, step * unit))
        unit *= 10


def token_ticks(farthest: int, most: int) -> list[int]:
    """Powers of two and their multiples for an axis of tokens."""
    step = _NARROWEST
    while farthest / step > most:
        step *= 2
    return list(range(0, farthest + 1, step))


def _width_for(longest: int) -> int:
    width = USUAL_WIDTH
    while width > _NARROWEST and longest < _FEW_BARS * width:
        width //= 2
    while longest > _MANY_BARS * width:
        width *= 2
    return width
