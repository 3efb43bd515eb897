"""How long a run still takes, told as the range that its own steps have shown."""

import itertools
from collections.abc import Sequence
from typing import Final

from studio.domain.run import RunSnapshot, StepPoint

STEPS_TO_MEASURE: Final = 20
_WINDOW: Final = 60
_BLOCKS: Final = 4


def steps_needed(snapshot: RunSnapshot) -> int:
    """How many steps have to be seen before a range can be told."""
    return min(STEPS_TO_MEASURE, snapshot.total_steps or STEPS_TO_MEASURE)


def seconds_left(snapshot: RunSnapshot) -> tuple[float, float] | None:
    """The least and the most seconds that the steps still take.

    The last sixty steps are cut into four blocks; the fastest and the slowest block
    bound the range, so that measuring and saving between steps are part of it.

    Returns:
        None before enough steps are done, or when the number of steps is unknown.
    """
    left = snapshot.total_steps - snapshot.step
    if not snapshot.total_steps or len(snapshot.steps) < STEPS_TO_MEASURE:
        return None
    paces = _block_means(_durations(snapshot.steps))
    return min(paces) * left, max(paces) * left


def _durations(steps: Sequence[StepPoint]) -> list[float]:
    """Seconds of each recent step; the very first one pays for warming up."""
    recent = steps[-(_WINDOW + 1) :]
    pairs = itertools.pairwise(recent)
    return [max(0.0, after.seconds - before.seconds) for before, after in pairs]


def _block_means(durations: Sequence[float]) -> list[float]:
    size = max(1, len(durations) // _BLOCKS)
    blocks = [durations[n : n + size] for n in range(0, size * _BLOCKS, size)]
    return [sum(block) / len(block) for block in blocks if block]
