"""What would fit when nothing does."""

from dataclasses import replace

from studio.domain.architecture import ModelArchitecture
from studio.domain.cards import find_card
from studio.domain.recipe import Recipe
from studio.domain.recommend import elsewhere
from studio.domain.recommend.elsewhere import Exit, NamedModel, alternatives
from studio.domain.recommend.proposal import Proposal
from studio.domain.recommend.propose import propose
from studio.domain.recommend.wish import Wish
from studio.services.cards import known_cards
from tests.bench.formula_grid import ARCHITECTURES

MODELS = [
    NamedModel(name, ModelArchitecture.from_config(config))
    for name, config in ARCHITECTURES.items()
]


def wish(model: str, card: str, *locked: tuple[str, object]) -> Wish:
    base = Recipe()
    for key, value in locked:
        base = base.with_value(key, value)
    device = find_card(known_cards(), card).device()
    shape = ModelArchitecture.from_config(ARCHITECTURES[model])
    return Wish(shape, device, base, kept=frozenset(key for key, _ in locked))


def test_that_a_model_too_large_gets_a_smaller_one_and_a_larger_card():
    asked = wish("phi-4", "RTX 4060")
    assert not propose(asked).fits
    found = alternatives(asked, MODELS, known_cards())
    assert {each.kind for each in found} == {Exit.MODEL, Exit.CARD}
    assert all(each.proposal.fits for each in found)
    sizes = {each.name: each.architecture.parameters for each in MODELS}
    named = [each.name for each in found if each.kind is Exit.MODEL]
    assert "phi-4-mini" in named
    assert all(sizes[name] < asked.model.parameters for name in named)


def test_that_a_named_card_keeps_the_rows_and_is_not_outdated():
    asked = wish("phi-4", "RTX 4060")
    cards = {card.name: card for card in known_cards()}
    for each in alternatives(asked, MODELS, known_cards()):
        if each.kind is Exit.CARD:
            assert each.proposal.recipe.train.sequence_length >= 1024
            assert cards[each.name].compute_capability >= (7, 5)


def test_that_a_lock_in_the_way_is_named():
    asked = wish("llama-3.1-8b", "RTX 4060", ("train.sequence_length", 32_768))
    assert not propose(asked).fits
    first, *_ = alternatives(asked, MODELS, known_cards())
    assert (first.kind, first.name) == (Exit.UNLOCK, "train.sequence_length")
    assert first.proposal.recipe.train.sequence_length < 32_768


def test_that_training_all_weights_of_eight_billion_is_sent_to_a_larger_card():
    asked = wish("llama-3.1-8b", "RTX 4090", ("compat.full_training", True))
    cards = [
        each.name
        for each in alternatives(asked, MODELS, known_cards())
        if each.kind is Exit.CARD
    ]
    assert cards
    assert "RTX 4090" not in cards


def test_that_a_model_whose_weights_alone_are_too_much_is_not_searched_for(monkeypatch):
    asked = wish("phi-4", "RTX 4060")
    huge = replace(asked.model, vocabulary=10**6)
    asked = replace(asked, model=replace(huge, vocabulary=2 * 10**6))
    searched = []

    def noted(other: Wish) -> Proposal:
        searched.append(other.model)
        return propose(other)

    monkeypatch.setattr(elsewhere, "propose", noted)
    found = alternatives(asked, [NamedModel("hopeless", huge), *MODELS], ())
    assert found == alternatives(asked, MODELS, ())
    assert huge not in searched


def test_that_whatever_fits_takes_more_than_the_least_its_weights_could():
    for each in MODELS:
        device = find_card(known_cards(), "H100").device()
        found = propose(Wish(each.architecture, device, Recipe()))
        least = elsewhere._least_weight_bytes(each.architecture)
        assert least < found.estimate.peak_bytes


def test_that_the_cheapest_card_to_rent_is_named_with_its_price():
    found = alternatives(wish("phi-4", "RTX 4060"), MODELS, known_cards())
    prices = [each.price.usd_an_hour for each in found if each.price is not None]
    assert prices
    rented = [card for card in known_cards() if card.cloud_price is not None]
    assert min(prices) >= min(card.cloud_price.usd_an_hour for card in rented)
    assert found[-1].price is not None
