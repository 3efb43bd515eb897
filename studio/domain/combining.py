"""How adapters of one base become one: the ways, what each means, and what it takes.

An adapter of rank r adds s B A to a layer's weight, B being outputs x r and A r x
inputs. Whoever combines adapters by weights w expects the sum of w s B A. Concatenation
alone gives exactly that; the others trade it for a lower rank, or want something else.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from studio.domain.errors import StudioError, refusal

LEAST = 2
"""Adapters that can be combined."""
DENSITY = 0.5
"""The share that is kept where entries are dropped, unless said otherwise."""

# Under it, rounding to FP32 is all that there is.
_ROUNDING = 1e-5


class Way(StrEnum):
    """A way of combining, by peft's word for it."""

    CAT = "cat"
    SVD = "svd"
    LINEAR = "linear"
    TIES = "ties"
    DARE_LINEAR = "dare_linear"
    DARE_TIES = "dare_ties"
    TIES_SVD = "ties_svd"
    DARE_LINEAR_SVD = "dare_linear_svd"
    DARE_TIES_SVD = "dare_ties_svd"

    @property
    def decomposes(self) -> bool:
        """Whether whole layers are combined, and then cut to a rank."""
        return self.value.endswith("svd")

    @property
    def needs_one_rank(self) -> bool:
        """Whether A and B are combined entry by entry, so that shapes must agree."""
        return not self.decomposes and self is not Way.CAT

    @property
    def draws(self) -> bool:
        """Whether entries are dropped at random."""
        return self.value.startswith("dare")

    @property
    def drops(self) -> bool:
        """Whether entries are dropped, at random or the smallest."""
        return self.draws or "ties" in self.value

    @property
    def meaning(self) -> str:
        """What comes of it, in words."""
        return " ".join(filter(None, (_FIRST[self], _second(self))))


_ENTRIES = {
    "ties": "the largest entries of each are kept, and where signs differ, those of "
    "the heavier side are averaged",
    "dare_linear": "entries are dropped at random and the others grow to make up for "
    "them, then all are summed",
    "dare_ties": "entries are dropped at random and the others grow to make up for "
    "them; where signs differ, those of the heavier side are averaged",
}
_FIRST = {
    Way.CAT: "Exactly the weighted sum of what the adapters do; the ranks add up.",
    Way.SVD: "The weighted sum of what the adapters do, cut to a lower rank.",
    Way.LINEAR: "A and B are summed apart by the roots of the weights, so each "
    "adapter’s B also meets the others’ A.",
    **{Way(word): f"Of A and of B, {told}." for word, told in _ENTRIES.items()},
    **{
        Way(f"{word}_svd"): f"Of each layer’s change, {told}; then it is cut to a rank."
        for word, told in _ENTRIES.items()
    },
}


def _second(way: Way) -> str:
    if way.decomposes:
        return "Wide layers take minutes each on a processor."
    if way is Way.CAT:
        return ""
    return "It isn’t the weighted sum, and may be far from it."


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """What adapters are combined by.

    Attributes:
        way: How.
        weights: One for each adapter, in their order; any number but 0.
        density: The share of entries that is kept, where some are dropped.
        seed: Of the random numbers, where some are dropped at random.
        rank: Of the result, where it is cut; 0 for the highest of the adapters.
    """

    way: Way = Way.CAT
    weights: tuple[float, ...]
    density: float = DENSITY
    seed: int = 0
    rank: int = 0

    def check(self, adapters: int) -> Self:
        """The same, if it can be carried out with so many adapters.

        Raises:
            StudioError: It can't.
        """
        if adapters < LEAST:
            raise refusal(
                "combine.one",
                "One adapter alone can’t be combined.",
                fix="Take two or more.",
                where="RUN_OR_ADAPTER",
            )
        if len(self.weights) != adapters:
            raise _weights(
                f"There are {len(self.weights)} weights for {adapters} adapters."
            )
        if not all(weight and math.isfinite(weight) for weight in self.weights):
            raise _weights("A weight is 0 or no number.")
        if not 0 < self.density <= 1:
            raise refusal(
                "combine.density",
                f"A density of {self.density:g} keeps nothing, or more than all.",
                fix="Give a share above 0, up to 1.",
                where="--density",
            )
        if self.rank < 0 or (self.rank and not self.way.decomposes):
            raise refusal(
                "combine.rank",
                f"The way {self.way} isn’t cut to a rank."
                if self.rank > 0
                else "A rank is 1 or more.",
                fix="Leave --rank out, or combine by a way that ends in svd.",
                where="--rank",
            )
        return self

    @property
    def in_words(self) -> str:
        """What decides the result beside the adapters and their weights."""
        told = [f"{self.way}"]
        if self.way.drops:
            told.append(f"density {self.density:g}")
        if self.way.draws:
            told.append(f"seed {self.seed}")
        return ", ".join(told)


def distance_words(distance: float | None) -> str:
    """How far a result is from the weighted sum of what the adapters do.

    Args:
        distance: As a share of the sum's size; None where the sum is nothing.
    """
    if distance is None:
        return "The weighted sum of these adapters is nothing."
    if distance < _ROUNDING:
        return "It is the weighted sum of what they do, to rounding."
    return (
        "It differs from the weighted sum of what they do by "
        f"{distance:.2g} times that sum’s size."
    )


def even_weights(adapters: int) -> tuple[float, ...]:
    """The same share for each, 1 in sum."""
    return (1 / adapters,) * adapters if adapters else ()


def way_of(word: str) -> Way:
    """The way of a word.

    Raises:
        StudioError: There is none of that name.
    """
    try:
        return Way(word)
    except ValueError:
        raise refusal(
            "combine.way",
            f"“{word}” is no way of combining adapters.",
            fix=f"Give {', '.join(list(Way)[:-1])} or {list(Way)[-1]}.",
            where="--how",
        ) from None


def weights_of(text: str) -> tuple[float, ...]:
    """Weights as they are typed, such as ``0.7,0.3``.

    Raises:
        StudioError: One is no number.
    """
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise _weights(f"“{text}” isn’t numbers with commas between them.") from None


def _weights(what: str) -> StudioError:
    return refusal(
        "combine.weights",
        what,
        fix="Give a number other than 0 for each adapter, such as --weights=0.7,0.3.",
        where="--weights",
    )
