"""How much of other files is mixed into what is trained on, and which rows of them.

A *share* is meant of the whole: with 0.2, a fifth of all training rows comes from that
file, and the main file's rows, all of them, make up the rest. So the main file's n
rows and shares that add up to S make n / (1 - S) rows together.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from studio.domain.finding import Finding, Severity, warning

MOST_SHARE = 0.9
"""All shares together; a main file that is a tenth of its own run is hardly one."""


class MixError(ValueError):
    """A word of a mix that can't be understood; the message says why."""


@dataclass(frozen=True, slots=True)
class MixWord:
    """A further file and its share of the training rows.

    Attributes:
        path: A file or folder of rows.
        share: Above 0; all shares together at most `MOST_SHARE`.
    """

    path: str
    share: float

    def word(self) -> str:
        """As a recipe keeps it."""
        return f"{self.path}={self.share:g}"


@dataclass(frozen=True, slots=True)
class MixedCount:
    """What a share comes to.

    Attributes:
        path: The file.
        share: As the recipe says.
        there: Rows that the file has.
        taken: Rows of it in one pass over the training rows.
    """

    path: str
    share: float
    there: int
    taken: int

    @property
    def repeats(self) -> bool:
        """Whether the file is too small, so that rows of it come more than once."""
        return self.taken > self.there


def mix_of(words: Iterable[str]) -> tuple[MixWord, ...]:
    """Understand a mix, each word ``file=share``.

    Raises:
        MixError: A word is of another form, a share is none, or they are too many.
    """
    mix = tuple(map(_understood, words))
    whole = sum(each.share for each in mix)
    if whole > MOST_SHARE + 1e-9:
        raise MixError(
            f"the shares add up to {whole:g}, and {MOST_SHARE:g} is the most"
        )
    return mix


def mixed_counts(
    rows: int, mix: Sequence[MixWord], sizes: Sequence[int]
) -> tuple[MixedCount, ...]:
    """How many rows of each further file are trained on.

    Args:
        rows: Of the main file that are trained on.
        mix: The further files.
        sizes: Rows that each of them has.

    Returns:
        A count for each. A file with rows gives at least one; an empty one none.
    """
    whole = rows / (1 - sum(each.share for each in mix))
    return tuple(
        MixedCount(
            each.path,
            each.share,
            size,
            max(1, round(whole * each.share)) if size else 0,
        )
        for each, size in zip(mix, sizes, strict=True)
    )


def mixed_rows(there: int, taken: int, seed: int, place: int) -> list[int]:
    """Which rows of a further file are trained on.

    They are drawn without replacement; when more are taken than there are, every row
    is taken as often as it goes, and the rest is drawn.

    Args:
        there: Rows that it has; at least 1 where any are taken.
        taken: How many are wanted.
        seed: Of the recipe.
        place: Of the file in the mix, so that files of one size are drawn differently.

    Returns:
        Rows from 0, ascending; each as often as it is taken.
    """
    if not taken:
        return []
    whole, rest = divmod(taken, there)
    drawn = random.Random(f"{seed}:mix:{place}").sample(range(there), rest)
    return sorted([*range(there)] * whole + drawn)


def mixed_finding(counted: MixedCount) -> Finding:
    """How many rows of a further file one pass goes over."""
    name = PurePath(counted.path).name
    what = (
        f"{counted.taken:,} rows of {name} are mixed in, "
        f"{counted.share:.0%} of the rows trained on."
    )
    if not counted.repeats:
        return Finding(
            code="data.mixed",
            severity=Severity.INFO,
            what=what,
            why=f"They are drawn from {counted.there:,} by the seed.",
            where="data.mix",
        )
    return warning(
        "data.mix-repeats",
        what,
        why=f"It has only {counted.there:,}, so each comes up to "
        f"{-(-counted.taken // counted.there)} times in one pass.",
        fix="Lower its share in data.mix, or give a larger file.",
        where="data.mix",
    )


def _understood(word: str) -> MixWord:
    path, equals, typed = word.rpartition("=")
    if not (equals and path.strip()):
        raise MixError(f"“{word}” is not of the form file=share")
    try:
        share = float(typed)
    except ValueError:
        share = 0.0
    if not 0 < share <= MOST_SHARE:
        raise MixError(
            f"“{typed.strip()}” is no share: give a number above 0, at most "
            f"{MOST_SHARE:g}"
        )
    return MixWord(path.strip(), share)
