"""What a recipe will take of a device, and which recipe would suit it."""

from collections.abc import Set as AbstractSet
from functools import lru_cache

from studio.domain.dataset import ChatFile
from studio.domain.expert_findings import expert_refusal
from studio.domain.finding import Finding
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.memory.formula import estimate_memory
from studio.domain.memory.outside_formula import outside_formula
from studio.domain.recipe import Recipe
from studio.domain.recommend.policy import Goal
from studio.domain.recommend.proposal import Proposal
from studio.domain.recommend.propose import propose
from studio.domain.recommend.wish import Wish
from studio.domain.token_lengths import TokenLengths
from studio.services.dry_runs import kept_estimate
from studio.services.measured import taught, with_context
from studio.services.model_shapes import shape_of
from studio.storage.models import ModelPlace


def price(
    recipe: Recipe, place: ModelPlace, device: TrainingDevice
) -> MemoryEstimate | Finding:
    """Predict the peak memory of a recipe on the best basis at hand.

    That is a dry run if it was made before, else the formula; either way within a
    millisecond, for every keystroke.

    Returns:
        The estimate, or why this model can't be priced.
    """
    if place.config is not None:
        exact = kept_estimate(place.config, recipe, device)
        if exact is not None:
            return taught(exact, device)
    return price_by_formula(recipe, place, device)


def price_by_formula(
    recipe: Recipe, place: ModelPlace, device: TrainingDevice
) -> MemoryEstimate | Finding:
    """Predict the peak memory of a recipe by formula; microseconds.

    Returns:
        The estimate, or why this model can't be priced so.
    """
    model = shape_of(place)
    if isinstance(model, Finding):
        return model
    refused = outside_formula(recipe) or expert_refusal(recipe, model)
    return refused or taught(estimate_memory(model, recipe, device), device)


def propose_for(
    base: Recipe,
    place: ModelPlace,
    device: TrainingDevice,
    data: ChatFile | None = None,
    goal: Goal = Goal.QUALITY,
    kept: AbstractSet[str] = frozenset(),
) -> Proposal | Finding:
    """Find a recipe that fits what is free on a device.

    Args:
        base: Carries what is not proposed: the data, the prompts, the seed.
        place: The model; it becomes the recipe's.
        device: As measured now.
        data: What is trained on; None while none is read.
        goal: What the free memory shall buy.
        kept: Options that stay as `base` has them.

    Returns:
        The proposal, or why this model can't be priced.
    """
    wish = wish_for(base, place, device, data, goal, kept)
    return wish if isinstance(wish, Finding) else propose(wish)


def wish_for(
    base: Recipe,
    place: ModelPlace,
    device: TrainingDevice,
    data: ChatFile | None,
    goal: Goal,
    kept: AbstractSet[str],
) -> Wish | Finding:
    """What is sought, or why it can't be priced; as `propose_for` takes it.

    A search goes by the formula: what it can't price can't be kept in one.
    """
    model = shape_of(place)
    if isinstance(model, Finding):
        return model
    refused = unsearchable(base, kept)
    if refused is not None:
        return refused
    known = with_context(device)
    named = base.with_value("model.name", place.name)
    return Wish(model, known, named, lengths_of(data), goal, kept)


def unsearchable(base: Recipe, kept: AbstractSet[str]) -> Finding | None:
    """Why no search can keep these options; None where it can."""
    return outside_formula(Recipe().with_values({k: base.value(k) for k in kept}))


@lru_cache(maxsize=2)  # a window asks at every keystroke and every second
def lengths_of(data: ChatFile | None) -> TokenLengths:
    """The lengths of a file's rows; none without one."""
    return TokenLengths() if data is None else data.lengths_of_rows()


def trained_lengths(recipe: Recipe, data: ChatFile | None) -> TokenLengths:
    """About the lengths of the rows that a recipe trains on; none without a file."""
    if data is None or not data.mixed:
        return lengths_of(data)
    return _mixed_lengths(data, recipe.data.share_held_out, recipe.train.seed)


@lru_cache(maxsize=2)
def _mixed_lengths(data: ChatFile, share: float, seed: int) -> TokenLengths:
    return data.training_lengths(share, seed)
