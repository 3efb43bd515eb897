"""How long the rows of a data set are, in tokens: what length keeps how many whole."""

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

CHARACTERS_A_TOKEN = 3.0  # fewer than English text has, so lengths are not underrated


@dataclass(frozen=True, slots=True)
class TokenLengths:
    """The lengths of a data set's rows.

    Attributes:
        tokens: Of each row, ascending.
        counted: Whether a tokenizer counted them; else they are judged by characters.
    """

    tokens: tuple[int, ...] = ()
    counted: bool = True

    @classmethod
    def of(cls, tokens: Iterable[int]) -> Self:
        """Lengths that a tokenizer counted, in any order."""
        return cls(tuple(sorted(tokens)))

    @classmethod
    def judged(cls, characters: Iterable[int]) -> Self:
        """Lengths judged by the rows' characters."""
        tokens = (math.ceil(each / CHARACTERS_A_TOKEN) for each in characters)
        return cls(tuple(sorted(tokens)), counted=False)

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.tokens)

    @property
    def longest(self) -> int:
        """Tokens of the longest row; 0 without rows."""
        return self.tokens[-1] if self.tokens else 0

    @property
    def mean(self) -> float:
        """Tokens of a row on average; 0 without rows."""
        return sum(self.tokens) / len(self.tokens) if self.tokens else 0.0

    def longer_than(self, length: int) -> int:
        """How many rows a length would cut."""
        return len(self.tokens) - bisect_right(self.tokens, length)

    def spread(self, rows: int) -> list[int]:
        """As many lengths, evenly from the shortest to the longest; none of none."""
        there = len(self.tokens)
        if not there:
            return []
        return [self.tokens[(2 * at + 1) * there // (2 * rows)] for at in range(rows)]

    def whole_at(self, share: float) -> int:
        """The shortest length that keeps a share of the rows whole.

        Args:
            share: Above 0, at most 1.
        """
        if not self.tokens:
            return 0
        # Rounded before it is rounded up: 0.99 * 100 is a little more than 99.
        place = math.ceil(round(share * len(self.tokens), 9)) - 1
        return self.tokens[max(0, place)]
