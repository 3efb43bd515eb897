from dataclasses import replace

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.on_paper.extent import RANK, Extent, terms_of
from studio.domain.memory.on_paper.planning import habits_of, of_training, plan_of
from studio.domain.memory.on_paper.run import (
    answering_draft,
    measuring_draft,
    training_draft,
)
from tests.bench.formula_grid import ARCHITECTURES, RECIPES, config_of, recipe_of

# Texts of few and of many tokens, odd lengths, lengths beyond windows and tiles.
EXTENTS = ((1, 24), (1, 1001), (3, 640), (2, 5000))
SYMBOLS = Extent.of(2, 64).outlined()


def device_of(name, place):
    """The card of a recipe, and for each third one a processor."""
    capability = RECIPES[name][0]
    return TrainingDevice(
        kind="cuda" if place % 3 else "cpu",
        name="",
        total_bytes=80 * GIB,
        free_bytes=80 * GIB,
        has_bf16=capability >= (8, 0),
        compute_capability=capability,
    )


def templates(model, recipe, plan, extent, rank):
    """Each pass written down in numbers, and in symbols; and what those stand for."""
    extent = Extent.of(*extent, model.decoder.windows)
    plan = replace(plan, extent=extent, rank=rank if plan.rank else 0)
    training = of_training(plan, recipe)
    habits = habits_of(recipe, on_card=plan.card)
    for write, each, how in (
        (training_draft, training, (habits,)),
        (measuring_draft, plan, ("evaluate",)),
        (answering_draft, replace(plan, adds=False, masks=False), ("generate",)),
    ):
        found = [write(model, x, *how) for x in (each, each.outlined())]
        yield *(getattr(x, "template", x) for x in found), each.amounts()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_that_a_tape_in_symbols_comes_to_what_one_in_numbers_does(name):
    model = ModelArchitecture.from_config(config_of(name))
    for place, recipe_name in enumerate(RECIPES):
        recipe = recipe_of(name, recipe_name)
        plan = plan_of(model, recipe, device_of(recipe_name, place))
        extent, rank = EXTENTS[place % len(EXTENTS)], 7 + place % 20
        for numbers, symbols, amounts in templates(model, recipe, plan, extent, rank):
            assert symbols.events == numbers.events
            assert symbols.counts == numbers.counts
            assert symbols.at(amounts).sizes == numbers.at(amounts).sizes


def test_that_batches_which_are_gone_through_alike_have_one_outline():
    narrow = (512, 4096)
    one = Extent.of(2, 1024, narrow)
    assert one.outlined() == Extent.of(5, 2048, narrow).outlined()
    for other in ((1, 1024), (2, 4096), (2, 511), (2, 12)):
        assert one.outlined() != Extent.of(*other, narrow).outlined()


def test_that_an_amounts_counts_are_found_by_their_symbols():
    amounts = Extent.of(3, 100).amounts(8)
    inner = SYMBOLS.tokens * RANK
    for amount, value in (
        (0, 0),
        (12345, 12345),
        (7 * SYMBOLS.scored + 5, 7 * 3 * 99 + 5),
        (2 * inner + 9 * SYMBOLS.square, 2 * 3 * 100 * 8 + 9 * 100 * 100),
        (SYMBOLS.padded_to(64), 3 * 128),
    ):
        terms = terms_of(amount)
        assert sum(count * amounts[place] for count, place in terms) == value


def test_that_symbols_without_a_product_are_refused():
    with pytest.raises(OverflowError):
        terms_of(SYMBOLS.batch * SYMBOLS.length)
    with pytest.raises(OverflowError):
        terms_of(SYMBOLS.scored - SYMBOLS.pairs)
