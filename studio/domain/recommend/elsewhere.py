"""What would fit when nothing does: the nearest way out of each kind.

A smaller model on this device, fewer locks, or another card for this very model.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from studio.domain.architecture import ModelArchitecture
from studio.domain.cards import CardFacts, CardKind, CloudPrice
from studio.domain.recipe import COMPARISONS, OPTIONS
from studio.domain.recommend.proposal import Proposal
from studio.domain.recommend.propose import propose
from studio.domain.recommend.wish import Wish

_MODELS = 2  # that are named
# Turing. Older cards compute 16-bit products slowly, and torch's present builds for
# CUDA 12.8 and later leave them out.
_OLDEST = (7, 5)


class Exit(StrEnum):
    """A kind of way out."""

    UNLOCK = "unlock"
    MODEL = "model"
    CARD = "card"


@dataclass(frozen=True, slots=True)
class Alternative:
    """One thing that would fit.

    Attributes:
        kind: What would be changed.
        name: The option, the model or the card.
        proposal: The recipe with it.
        price: What the card costs to rent; None where that isn't known.
    """

    kind: Exit
    name: str
    proposal: Proposal
    price: CloudPrice | None = None


@dataclass(frozen=True, slots=True)
class NamedModel:
    """A model that could be trained instead."""

    name: str
    architecture: ModelArchitecture


def alternatives(
    wish: Wish, models: Sequence[NamedModel], cards: Sequence[CardFacts]
) -> list[Alternative]:
    """What would fit instead of a wish that nothing fits.

    Args:
        wish: As it was asked.
        models: That could be taken on the same device.
        cards: That could be taken for the same model.
    """
    return [
        *_unlocked(wish),
        *_smaller_models(wish, models),
        *_cards_that_hold(wish, cards),
    ]


def _unlocked(wish: Wish) -> Iterator[Alternative]:
    """Single locks that are in the way; another program's habit is given up whole."""
    for key in (*OPTIONS, *COMPARISONS):
        if key not in wish.kept:
            continue
        base = wish.base
        if key in COMPARISONS:
            base = base.with_value(key, COMPARISONS[key].default)
        found = propose(replace(wish, base=base, kept=wish.kept - {key}))
        if found.fits:
            yield Alternative(Exit.UNLOCK, key, found)


def _smaller_models(wish: Wish, models: Sequence[NamedModel]) -> Iterator[Alternative]:
    """The largest that fits, and the largest of the same family."""
    size = wish.model.parameters
    smaller = sorted(
        (
            each
            for each in models
            if each.architecture.parameters < size
            and _least_weight_bytes(each.architecture) <= wish.budget
        ),
        key=lambda each: (
            each.architecture.family != wish.model.family,
            -each.architecture.parameters,
            each.name,
        ),
    )
    named = 0
    families: set[bool] = set()
    for each in smaller:
        is_kin = each.architecture.family == wish.model.family
        if is_kin in families:
            continue
        found = propose(replace(wish, model=each.architecture))
        if found.fits:
            families.add(is_kin)
            named += 1
            yield Alternative(Exit.MODEL, each.name, found)
        if named == _MODELS:
            return


def _least_weight_bytes(model: ModelArchitecture) -> int:
    """What the weights take by any recipe: 4 bits in linear layers, 16 elsewhere.

    Most models of a long list are too large by this alone, without a search.
    """
    return model.linear_weights // 2 + model.other_weights * 2


def _cards_that_hold(wish: Wish, cards: Sequence[CardFacts]) -> Iterator[Alternative]:
    """The smallest card of each kind that holds it, and the cheapest one to rent."""
    least = propose(wish).estimate.least_bytes
    large = [
        card
        for card in cards
        if card.compute_capability >= _OLDEST and card.usable_bytes >= least
    ]
    named: set[str] = set()
    kinds: set[CardKind] = set()
    for card in sorted(large, key=lambda each: (each.usable_bytes, each.name)):
        if card.kind not in kinds and (found := _on_card(wish, card)):
            kinds.add(card.kind)
            named.add(card.name)
            yield found
    for card in sorted(large, key=_dollars):
        if card.cloud_price is not None and (found := _on_card(wish, card)):
            if card.name not in named:
                yield found
            return


def _on_card(wish: Wish, card: CardFacts) -> Alternative | None:
    """A recipe on a card that keeps the rows whole enough."""
    there = replace(wish, device=card.device(), headroom=None)
    found = propose(there)
    shortest = there.whole_length(wish.policy.whole[-1])
    if not found.fits or found.recipe.train.sequence_length < shortest:
        return None
    return Alternative(Exit.CARD, card.name, found, card.cloud_price)


def _dollars(card: CardFacts) -> float:
    return math.inf if card.cloud_price is None else card.cloud_price.usd_an_hour
