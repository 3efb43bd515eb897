"""A run's points in the form that charts take: pairs of a step and a value."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.recipe import Recipe
from studio.domain.run import MemoryPoint, RunSnapshot
from studio.services.run_need import counts_allocator
from studio.ui.charts.scale import Smoother
from studio.ui.pages.run.adaptations import Marks, adaptation_marks

_SMOOTHED: Final = 200
"""Steps before these weigh less than a billionth in the smoothed loss."""

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class PeakRange:
    """The predicted peak and its range, in bytes of what the memory chart counts.

    Attributes:
        peak, low, high: The peak and its range.
        since: The step behind which the recipe that it holds for came into force.
    """

    peak: int
    low: int
    high: int
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class MemoryReading:
    """Memory at a step, in bytes.

    Attributes:
        step: The step under way.
        own: Held by this run.
        other: Held by everybody else on the card, its driver included; None where the
            whole card isn't measured.
    """

    step: int
    own: int
    other: int | None


@dataclass(frozen=True, slots=True)
class Drawn:
    """How many points of each kind the charts hold already."""

    steps: int = 0
    held_out: int = 0
    memory: int = 0

    @classmethod
    def all_of(cls, snapshot: RunSnapshot) -> Self:
        """Every point that a snapshot has."""
        return cls(len(snapshot.steps), len(snapshot.held_out), len(snapshot.memory))


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """What the charts don't hold yet.

    Attributes:
        total_steps: Where the x axes end; 0 while unknown.
        passes: The steps at which a new pass over the data begins.
        loss: Training loss of each step, nats a token.
        held_out: Held-out loss, step 0 before training.
        learning_rate: Of each step.
        grad_norm: Of each step that reported one.
        memory: What was held.
        peak: The predicted peak; None when it could not be priced.
        marks: Where the run helped itself when memory ran out, and how.
    """

    total_steps: int
    passes: tuple[float, ...]
    loss: Points
    held_out: Points
    learning_rate: Points
    grad_norm: Points
    memory: tuple[MemoryReading, ...]
    peak: PeakRange | None
    marks: Marks = ()


def curves(
    snapshot: RunSnapshot,
    recipe: Recipe | None,
    estimate: MemoryEstimate | None,
    drawn: Drawn,
) -> Curves:
    """The points of a snapshot that are new to the charts.

    Args:
        snapshot: The run so far.
        recipe: That is in force; None when it can't be read.
        estimate: What is predicted for it; None when it could not be priced.
        drawn: What the charts hold.
    """
    steps = snapshot.steps[drawn.steps :]
    return Curves(
        total_steps=snapshot.total_steps,
        passes=_pass_starts(snapshot, recipe),
        loss=_points((p.step, p.loss) for p in steps),
        held_out=_points((p.step, p.loss) for p in snapshot.held_out[drawn.held_out :]),
        learning_rate=_points((p.step, p.learning_rate) for p in steps),
        grad_norm=_points((p.step, p.grad_norm) for p in steps),
        memory=tuple(_reading(p) for p in snapshot.memory[drawn.memory :]),
        peak=predicted_peak(snapshot, estimate),
        marks=adaptation_marks(snapshot),
    )


def smoothed_loss(snapshot: RunSnapshot) -> float | None:
    """The training loss as the chart's smooth line ends; None before the first step."""
    smoother, mean = Smoother(), None
    for point in snapshot.steps[-_SMOOTHED:]:
        mean = smoother.add(point.loss)
    return mean


def predicted_peak(
    snapshot: RunSnapshot, estimate: MemoryEstimate | None
) -> PeakRange | None:
    """The prediction, of what the memory chart counts.

    Torch's allocator doesn't count the driver's own part, so it is left out of a
    card's prediction too.
    """
    if estimate is None:
        return None
    outside = estimate.context_bytes if counts_allocator(snapshot) else 0
    peak, low, high = (
        max(0, size - outside)
        for size in (estimate.peak_bytes, estimate.low_bytes, estimate.high_bytes)
    )
    since = snapshot.adaptations[-1].step if snapshot.adaptations else 0
    return PeakRange(peak, low, high, float(since))


def passes_of(recipe: Recipe | None) -> float:
    """Passes that decide the run's length; 0 when a number of steps does."""
    if recipe is None or recipe.train.max_steps:
        return 0.0
    return recipe.train.epochs


def _pass_starts(snapshot: RunSnapshot, recipe: Recipe | None) -> tuple[float, ...]:
    passes, total = passes_of(recipe), snapshot.total_steps
    if passes <= 1 or not total:
        return ()
    whole = int(passes) if passes == int(passes) else int(passes) + 1
    return tuple(total * number / passes for number in range(1, whole))


def _points(pairs: Iterable[tuple[int, float | None]]) -> Points:
    return tuple((float(step), value) for step, value in pairs if value is not None)


def _reading(point: MemoryPoint) -> MemoryReading:
    if point.reserved_bytes is None:
        return MemoryReading(point.step, point.highest_bytes, None)
    used = point.device_used_bytes
    other = None if used is None else max(0, used - point.reserved_bytes)
    return MemoryReading(point.step, point.reserved_bytes, other)
