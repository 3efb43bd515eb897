"""Recommends a recipe for a model, a data set and a card, with ways out."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cache

from studio.domain.architecture import ModelArchitecture
from studio.domain.cards import CardFacts, find_card
from studio.domain.dataset import ChatFile
from studio.domain.errors import StudioError
from studio.domain.hardware import TrainingDevice
from studio.domain.packing import rows_as_trained
from studio.domain.recipe import Recipe
from studio.domain.recommend.duration import Seconds, step_seconds
from studio.domain.recommend.elsewhere import Alternative, NamedModel, alternatives
from studio.domain.recommend.policy import Goal
from studio.domain.recommend.proposal import Proposal
from studio.domain.recommend.propose import propose
from studio.domain.recommend.wish import Wish
from studio.services.cards import known_cards
from studio.services.measured import with_context
from studio.services.model_findings import shape_findings
from studio.services.model_places import store
from studio.services.model_shapes import architecture_of
from studio.services.preflight import device_findings, raise_first_error
from studio.services.pricing import lengths_of, trained_lengths, unsearchable


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A proposal with its time and, when it doesn't fit, what would.

    Attributes:
        wish: What it was sought for.
        proposal: What was found.
        step: Of one optimizer step; None where nothing is known of the device's rate.
        total: Of the whole run; None without data, too.
        steps: Optimizer steps of the run; 0 without data.
        alternatives: What would fit; empty when the proposal does.
    """

    wish: Wish
    proposal: Proposal
    step: Seconds | None
    total: Seconds | None
    steps: int
    alternatives: tuple[Alternative, ...]


def recommend(
    base: Recipe,
    device: TrainingDevice,
    data: ChatFile | None,
    goal: Goal,
    kept: AbstractSet[str] = frozenset(),
) -> Recommendation:
    """Find a recipe for the model that `base` names.

    Args:
        base: Names its model, and carries what is kept.
        device: Where it shall be trained.
        data: What it learns from; None while none is chosen.
        goal: What the free memory shall buy.
        kept: Options that stay as `base` has them.

    Raises:
        StudioError: The model isn't known, it or a kept option can't be priced by
            formula, or kept options contradict each other, the model or the device.
    """
    model = ModelArchitecture.from_config(store().config_of(base.model.name))
    known = with_context(device)
    refused = unsearchable(base, kept)
    if refused is not None:
        raise StudioError(refused)
    wish = Wish(model, known, base, lengths_of(data), goal, kept)
    proposal = propose(wish)
    raise_first_error(
        [
            *proposal.recipe.contradictions(),
            *shape_findings(proposal.recipe, model),
            *device_findings(proposal.recipe, known),
        ]
    )
    step = time_of_step(model, proposal.recipe, known, data)
    steps = steps_of(proposal.recipe, data)
    others = () if proposal.fits else ways_elsewhere(wish)
    return Recommendation(
        wish,
        proposal,
        step,
        step.times(steps) if step and steps else None,
        steps,
        others,
    )


def ways_elsewhere(wish: Wish) -> tuple[Alternative, ...]:
    """What would fit instead of a wish that nothing fits; some tenths of a second."""
    return tuple(alternatives(wish, other_models(), known_cards()))


def time_of_step(
    model: ModelArchitecture,
    recipe: Recipe,
    device: TrainingDevice,
    data: ChatFile | None,
) -> Seconds | None:
    """What a step takes by the card's data sheet; None where that isn't known."""
    facts = facts_of(device)
    if facts is None:
        return None
    return step_seconds(model, recipe, facts, trained_lengths(recipe, data))


def steps_of(recipe: Recipe, data: ChatFile | None) -> int:
    """Optimizer steps of a run over a file; 0 without one."""
    if data is None:
        return 0
    rows = data.training_rows(recipe.data.share_held_out, recipe.train.seed)
    return steps_over(recipe, rows, data)


def steps_over(recipe: Recipe, rows: int, data: ChatFile | None) -> int:
    """Optimizer steps over so many of a file's rows; about, where they are packed."""
    trained = rows_as_trained(rows, recipe.train, trained_lengths(recipe, data))
    return recipe.total_steps(trained)


def facts_of(device: TrainingDevice) -> CardFacts | None:
    """What is known of a card by its name; None for others."""
    return _facts_named(device.name) if device.kind == "cuda" else None


@cache
def _facts_named(name: str) -> CardFacts | None:
    try:
        return find_card(known_cards(), name)
    except StudioError:
        return None


def other_models() -> list[NamedModel]:
    """The models of the list that can be priced by formula."""
    shapes = ((place.name, architecture_of(place)) for place in store().known())
    return [NamedModel(name, shape) for name, shape in shapes if shape is not None]
