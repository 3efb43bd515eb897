"""What a run needs to be gone on with: by which recipe, and how much memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from studio.domain.finding import Finding
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.card_habits import USUAL_CAPABILITY, context_bytes
from studio.domain.memory.estimate import Component, Group, Level, MemoryEstimate
from studio.domain.recipe import Recipe
from studio.domain.relief import MOST_TIMES, relieved
from studio.domain.run import RunSnapshot
from studio.services.leading import ran_out
from studio.services.preflight import model_of
from studio.services.pricing import price
from studio.storage.in_force import recipe_in_force
from studio.storage.models import ModelPlace
from studio.storage.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class RunNeed:
    """What going on with a run takes.

    Attributes:
        recipe: By which it goes on.
        kind: Of the device that it trains on, ``cuda`` or ``cpu``.
        estimate: What is predicted; None where that can't be priced.
        measured_bytes: The most that this recipe was seen to take in this run; None
            before its first reading.
    """

    recipe: Recipe
    kind: str
    estimate: MemoryEstimate | None
    measured_bytes: int | None

    @property
    def bytes(self) -> int | None:
        """What must be free: the higher one; None while neither is known."""
        predicted = self.estimate.peak_bytes if self.estimate else None
        known = [x for x in (predicted, self.measured_bytes) if x is not None]
        return max(known, default=None)

    @property
    def expected(self) -> MemoryEstimate | None:
        """The prediction, with what was measured beyond it as a part of its own."""
        if self.estimate is None or not self.beyond_bytes:
            return self.estimate
        beyond = Component(
            "Beyond the prediction, as measured",
            Group.OVERHEAD,
            self.beyond_bytes,
            level=Level.DEVICE,
        )
        return replace(
            self.estimate, components=(*self.estimate.components, beyond), ratios=None
        )

    @property
    def beyond_bytes(self) -> int:
        """How much more was measured than predicted; 0 when it wasn't."""
        if self.estimate is None or self.measured_bytes is None:
            return 0
        return max(0, self.measured_bytes - self.estimate.peak_bytes)


def smaller_needs(
    need: RunNeed, device: TrainingDevice
) -> Sequence[tuple[Recipe, MemoryEstimate]]:
    """What a run comes to by itself if memory runs out, in order, each with its price.

    What can't be priced is left out.
    """
    place = model_of(need.recipe)
    found: list[tuple[Recipe, MemoryEstimate]] = []
    if not isinstance(place, ModelPlace) or need.kind != device.kind:
        return ()
    smaller = relieved(need.recipe, on_card=need.kind == "cuda")
    while smaller is not None and len(found) < MOST_TIMES:
        estimate = price(smaller, place, device)
        if not isinstance(estimate, Finding):
            found.append((smaller, estimate))
        smaller = relieved(smaller, on_card=need.kind == "cuda")
    return found


def need_of(run: RunSnapshot, device: TrainingDevice) -> RunNeed:
    """What going on with a run takes on a device.

    Raises:
        StudioError: The run's recipe is missing or malformed.
    """
    kind = kind_of(run, device)
    recipe = recipe_going_on(run, on_card=kind == "cuda")
    place = model_of(recipe)
    found = price(recipe, place, device) if isinstance(place, ModelPlace) else place
    estimate = None if isinstance(found, Finding) or kind != device.kind else found
    capability = device.compute_capability or USUAL_CAPABILITY
    beside = context_bytes(capability) if estimate is None else estimate.context_bytes
    return RunNeed(recipe, kind, estimate, _measured(run, recipe, beside))


def kind_of(run: RunSnapshot, device: TrainingDevice) -> str:
    """The kind of device that a run was measured on, else of the one that is here."""
    if not run.memory:
        return device.kind
    return "cuda" if counts_allocator(run) else "cpu"


def counts_allocator(run: RunSnapshot) -> bool:
    """Whether a run's memory is counted by torch's allocator, as on a card."""
    return any(point.reserved_bytes is not None for point in run.memory)


def recipe_in_force_of(run: RunSnapshot) -> Recipe:
    """What a run trains by now: its own recipe, or what it came to by itself.

    Raises:
        StudioError: The run's recipe is missing or malformed.
    """
    return recipe_in_force(RunDirectory(run.directory))


def recipe_going_on(run: RunSnapshot, *, on_card: bool) -> Recipe:
    """What a run would train by if it were gone on with.

    A run that memory ran out for takes the next step that saves some.

    Raises:
        StudioError: The run's recipe is missing or malformed.
    """
    in_force = recipe_in_force_of(run)
    smaller = relieved(in_force, on_card=on_card) if ran_out(run) else None
    return in_force if smaller is None else smaller


def _measured(run: RunSnapshot, recipe: Recipe, beside: int) -> int | None:
    """What was seen since the recipe came into force, as the driver counts.

    Args:
        run: As its journal tells it.
        recipe: By which it goes on.
        beside: What the driver holds for the process beside torch's allocator.
    """
    if recipe != recipe_in_force_of(run):
        return None
    highest = run.peak_in_force_bytes
    if highest is None or not counts_allocator(run):
        return highest
    return highest + beside
