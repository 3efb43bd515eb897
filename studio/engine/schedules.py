"""The course of the learning rate, in the words of transformers' schedulers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from studio.domain.train_options import Schedule, TrainOptions

_POWER = 2.0  # how sharply a polynomial falls
_UNSHAPED = {
    Schedule.CONSTANT: "constant_with_warmup",
    Schedule.INVERSE_SQRT: "inverse_sqrt",
}


@dataclass(frozen=True, slots=True)
class Course:
    """A scheduler of transformers (`TYPE_TO_SCHEDULER_FUNCTION`) and its arguments."""

    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)


def course_of(train: TrainOptions, steps: int) -> Course:
    """What transformers calls the schedule of a recipe free of contradictions.

    Args:
        train: Names the schedule.
        steps: Optimizer steps of the whole run.
    """
    match train.schedule:
        case Schedule.COSINE:
            return _cosine(train)
        case Schedule.LINEAR if not train.floor:
            return Course("linear")
        case Schedule.LINEAR:
            return _polynomial(train, 1.0)
        case Schedule.POLYNOMIAL:
            return _polynomial(train, _POWER)
        case Schedule.HOLD_AND_DECAY:
            return _held(train, steps)
        case Schedule.CONSTANT | Schedule.INVERSE_SQRT as schedule:
            return Course(_UNSHAPED[schedule])


def _cosine(train: TrainOptions) -> Course:
    if train.restarts:
        return Course("cosine_with_restarts", {"num_cycles": train.restarts + 1})
    if train.floor:
        return Course("cosine_with_min_lr", {"min_lr_rate": train.floor})
    return Course("cosine")


def _held(train: TrainOptions, steps: int) -> Course:
    """A fall that was to begin within warm-up begins behind it."""
    rising = train.warmup_steps or math.ceil(steps * train.warmup)
    falling = {
        "num_decay_steps": max(
            1, min(round(steps * train.decay_share), steps - rising)
        ),
        "decay_type": "1-sqrt",
        "min_lr_ratio": train.floor,
    }
    return Course("warmup_stable_decay", falling)


def _polynomial(train: TrainOptions, power: float) -> Course:
    end = train.floor * train.learning_rate
    return Course("polynomial", {"power": power, "lr_end": end})
