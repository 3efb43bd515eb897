import pytest

from studio.domain.memory.estimate import Basis, Component, Group, MemoryEstimate
from studio.domain.memory.switches import savings, switches
from studio.domain.recipe import Recipe


def recipe_with(**options):
    recipe = Recipe()
    for key, value in options.items():
        recipe = recipe.with_value(key.replace("__", "."), value)
    return recipe


def turned(recipe):
    return {(s.key, s.value) for s in switches(recipe)}


@pytest.mark.parametrize(
    ("optimizer", "other"),
    [
        ("adamw_fused", "adamw_8bit"),
        ("adamw_8bit", "adamw_fused"),
        ("lion", "lion_8bit"),
        ("lion_8bit", "lion"),
    ],
)
def test_that_states_are_narrowed_and_widened_within_a_family(optimizer, other):
    found = turned(recipe_with(train__optimizer=optimizer))
    assert {v for key, v in found if key == "train.optimizer"} == {other}


@pytest.mark.parametrize("optimizer", ["adamw_fused", "adamw_8bit", "lion"])
def test_that_whole_models_may_do_with_hardly_any_states(optimizer):
    whole = recipe_with(
        train__optimizer=optimizer, train__weights="all", model__precision="bf16"
    )
    adapter = whole.with_value("train.weights", "adapter")
    factored = ("train.optimizer", "adafactor")
    assert (factored in turned(whole)) == (optimizer != "lion")
    assert factored not in turned(adapter)


RECIPES = [
    recipe_with(),
    recipe_with(model__precision="bf16", train__micro_batch=8, train__accumulation=2),
    recipe_with(
        model__precision="fp16", model__compute_dtype="fp16", lora__adapter_dtype="fp32"
    ),
    recipe_with(model__compute_dtype="fp16", lora__adapter_dtype="fp32"),
    recipe_with(model__attention="eager", train__checkpointing=False),
    recipe_with(train__optimizer="adamw_foreach", lora__rank=1),
    recipe_with(train__optimizer="adamw_8bit", train__sequence_length=128),
    recipe_with(lora__train_norms=True, lora__train_embeddings=True),
]


@pytest.mark.parametrize("recipe", RECIPES, ids=range(len(RECIPES)))
def test_that_each_switch_makes_another_recipe_that_can_be_trained(recipe):
    found = switches(recipe)
    assert found
    for switch in found:
        assert switch.recipe != recipe
        assert switch.recipe.value(switch.key) == switch.value
        assert not switch.recipe.contradictions()
    assert len({switch.recipe for switch in found}) == len(found)


@pytest.mark.parametrize("key", ["lora.train_norms", "lora.train_embeddings"])
def test_that_what_is_trained_beside_can_be_left_but_is_not_advised(key):
    assert (key, False) in turned(recipe_with().with_value(key, True))
    assert key not in {each for each, _ in turned(recipe_with())}


def test_that_switches_which_do_not_apply_are_left_out():
    keys = {key for key, _ in turned(recipe_with(model__precision="bf16"))}
    assert "model.double_quant" not in keys
    assert ("model.attention", "sdpa") not in turned(recipe_with())
    half = recipe_with(model__compute_dtype="fp16", lora__adapter_dtype="fp32")
    assert ("lora.adapter_dtype", "bf16") not in turned(half)
    assert ("model.precision", "fp16") in turned(half)


def test_that_one_row_at_a_time_keeps_the_batch_of_a_step():
    recipe = recipe_with(train__micro_batch=4, train__accumulation=4)
    (alone,) = [s for s in switches(recipe) if s.key == "train.micro_batch"]
    assert alone.recipe.effective_batch() == recipe.effective_batch()


def test_that_packing_can_be_left_but_is_never_advised_to_save():
    assert ("train.packing", False) in turned(recipe_with(train__packing=True))
    assert "train.packing" not in {key for key, _ in turned(recipe_with())}


def priced(amount):
    part = Component("All", Group.WEIGHTS, amount)
    return MemoryEstimate(
        components=(part,), phase="load", basis=Basis.FORMULA, expected_error=0.1
    )


def test_that_savings_stand_first_and_what_changes_nothing_is_left_out():
    first, second, third, *_ = switches(recipe_with())
    now = 10 << 30
    found = savings(
        priced(now),
        [
            (first, priced(now + (1 << 30))),
            (second, priced(now - (1 << 30))),
            (third, priced(now + 5)),
        ],
    )
    assert [saving.switch for saving in found] == [second, first]
    assert [saving.saves_bytes for saving in found] == [1 << 30, -(1 << 30)]


@pytest.mark.parametrize(
    ("options", "on_card", "words"),
    [
        ({}, True, ["Remember in main memory"]),
        ({}, False, []),
        ({"train.checkpointing": False}, True, []),
        ({"train.offload": True}, True, ["Remember on the card"]),
    ],
)
def test_that_what_is_remembered_can_leave_a_card_alone(options, on_card, words):
    found = switches(Recipe().with_values(options), on_card=on_card)
    assert [each.words for each in found if each.key == "train.offload"] == words
