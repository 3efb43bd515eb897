"""What a run's journal tells for its card: how it learnt, on what, and for how long."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from studio.domain.errors import StudioError
from studio.protocol.events import (
    EngineEvent,
    EvalFinished,
    Hello,
    RunFinished,
    RunResumed,
    StepFinished,
)
from studio.protocol.machine_sample import MachineSample
from studio.storage.run_directory import RunDirectory

if TYPE_CHECKING:
    from datetime import datetime

# Between two readings of a card; behind a longer gap nobody watched.
_LONGEST_S = 15.0


@dataclass(slots=True, kw_only=True)
class Course:
    """How a run went.

    Attributes:
        device: What it was trained on, in words; empty where untold.
        losses: Training loss by step, nats a token.
        held_out: Held-out loss by step, likewise; step 0 is before training.
        saved_step: The step whose weights were saved; 0 where untold.
        seconds: That engines were at work, pauses left out.
        joules: That the card took meanwhile; None where it wasn't told all along.
    """

    device: str = ""
    losses: dict[int, float] = field(default_factory=dict)
    held_out: dict[int, float] = field(default_factory=dict)
    saved_step: int = 0
    seconds: float = 0.0
    joules: float | None = None


def course_of(run: RunDirectory) -> Course:
    """Read a run's journal and its machine's readings.

    What can't be read is left out: a card without it is still true.
    """
    course = Course()
    try:
        fold(course, run.events())
        course.joules = joules_of(list(run.machine_samples()))
    except StudioError:
        return course
    return course


def fold(course: Course, events: Iterable[EngineEvent]) -> None:
    """Take in a journal; what was told of steps that were done again is void."""
    before: datetime | None = None
    for event in events:
        match event:
            case Hello(device=device):
                course.device, before = device, None
            case RunResumed(step=step):
                course.losses = _up_to(step, course.losses)
                course.held_out = _up_to(step, course.held_out)
            case StepFinished(step=step, loss=loss):
                course.losses[step] = loss
            case EvalFinished(step=step, loss=loss):
                course.held_out[step] = loss
            case RunFinished(steps=steps, saved_step=saved):
                course.saved_step = saved or steps
            case _:
                pass
        if before is not None:
            course.seconds += max(0.0, (event.at - before).total_seconds())
        before = event.at


def joules_of(samples: Sequence[MachineSample]) -> float | None:
    """The card's energy: its power over time, by the trapezoidal rule.

    Returns:
        Joules; None where a reading lacks the power, or there are less than two.
    """
    total, watched = 0.0, False
    for before, sample in pairwise(samples):
        if before.power_w is None or sample.power_w is None:
            return None
        seconds = (sample.at - before.at).total_seconds()
        if 0 < seconds <= _LONGEST_S:
            total += seconds * (before.power_w + sample.power_w) / 2
            watched = True
    return total if watched else None


def _up_to(step: int, losses: dict[int, float]) -> dict[int, float]:
    return {each: loss for each, loss in losses.items() if each <= step}
