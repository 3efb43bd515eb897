"""Figures of voices, and how sure their differences are.

Each measure is worked out from numbers that are added up over the inputs. A resample
draws as many inputs as there are, with repetition, the same for both voices; so an
input's difficulty, which both share, doesn't widen the interval.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from studio.domain.evaluation import FEWEST, Change, Figure, Measure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers: TypeAlias = NDArray[np.float64]

RESAMPLES: Final = 1000
SEED: Final = 17
_ENDS: Final = (0.025, 0.975)
# Beyond it, exp is no number a table can hold.
_HIGHEST_LOSS: Final = 700.0

Tallies: TypeAlias = Mapping[Measure, Sequence[Sequence[float]]]
"""What a voice scored: by measure, for each input the numbers that are added up.

Of `BLEU` these are sacrebleu's counts; of all others a share's two parts, such as nats
and tokens.
"""


def figures_of(
    voice: Tallies, base: Tallies | None, bleu: Callable[[Sequence[float]], float]
) -> dict[Measure, Figure]:
    """A voice's figures, each beside the base's.

    Args:
        voice: What it scored.
        base: What the base scored on the same inputs; None of the base itself.
        bleu: Of counts that were added up.
    """
    figures = {}
    for measure, rows in voice.items():
        beside = None if base is None else base.get(measure)
        value = _value(measure, [sum(each) for each in zip(*rows, strict=True)], bleu)
        change = None if beside is None else _change(measure, rows, beside, bleu)
        figures[measure] = Figure(value, change)
    return figures


def _change(
    measure: Measure,
    rows: Sequence[Sequence[float]],
    base: Sequence[Sequence[float]],
    bleu: Callable[[Sequence[float]], float],
) -> Change | None:
    import numpy as np

    ours, theirs = np.array(rows, dtype=float), np.array(base, dtype=float)

    def difference(weights: "Numbers") -> float | None:
        values = [
            _value(measure, (weights @ numbers).tolist(), bleu)
            for numbers in (ours, theirs)
        ]
        if values[0] is None or values[1] is None:
            return None
        return values[0] - values[1]

    count = len(ours)
    whole = difference(np.ones(count))
    if whole is None:
        return None
    if count < FEWEST:
        return Change(whole)
    chance = np.random.default_rng(SEED)
    draws = chance.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    found = [each for draw in draws if (each := difference(draw)) is not None]
    low, high = np.quantile(found, _ENDS)
    return Change(whole, float(low), float(high))


def _value(
    measure: Measure,
    sums: Sequence[float],
    bleu: Callable[[Sequence[float]], float],
) -> float | None:
    if measure is Measure.BLEU:
        return bleu(sums)
    part, whole = sums
    if not whole or not math.isfinite(part):
        return None
    if measure is Measure.PERPLEXITY:
        return math.exp(min(part / whole, _HIGHEST_LOSS))
    return part / whole
