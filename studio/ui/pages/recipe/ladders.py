"""The values that the sliders of the simple form stop at."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

RANKS: Final = (4, 8, 16, 32, 64, 128, 256)
PASSES: Final = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)

_SHORTEST: Final = 128
_LONGEST: Final = 32_768


def sequence_lengths(context: int) -> tuple[int, ...]:
    """Powers of two and their halfway marks, up to what the model reads.

    Args:
        context: The longest text of the model, in tokens.
    """
    lengths: list[int] = []
    power = _SHORTEST
    while power <= min(context, _LONGEST):
        lengths += [power, power + power // 2]
        power *= 2
    return tuple(length for length in lengths if length <= context) or (context,)


def nearest(steps: Sequence[float], value: float) -> int:
    """The place of the step that is nearest to a value."""
    above = min(bisect_left(steps, value), len(steps) - 1)
    below = max(0, above - 1)
    return below if value - steps[below] < steps[above] - value else above
