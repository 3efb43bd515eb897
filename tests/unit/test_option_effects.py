"""An option that changes what a run takes says so where it is set."""

from functools import cache

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.estimate import Level
from studio.domain.memory.formula import estimate_memory
from studio.domain.options import Kind
from studio.domain.recipe import COMPARISONS, OPTIONS, Recipe
from tests.bench.formula_grid import ARCHITECTURES

MODEL = ModelArchitecture.from_config(ARCHITECTURES["llama-3.1-8b"])
CARD = TrainingDevice(
    kind="cuda",
    name="Test card",
    total_bytes=80 * GIB,
    free_bytes=80 * GIB,
    has_bf16=True,
    compute_capability=(9, 0),
)
BASES = (
    {},
    {"train.micro_batch": 4, "train.checkpointing": False},
    {"model.precision": "bf16", "train.weights": "all", "train.accumulation": 1},
    {"train.method": "dpo", "lora.adapter_dtype": "fp32", "lora.dropout": 0.1},
    {"train.packing": True, "train.optimizer": "paged_adamw_8bit"},
    {"compat.full_logits": True},
)
TABLE = {**OPTIONS, **COMPARISONS}
LARGEST = 4096
"""Of the numbers tried: beyond it nothing is on any card."""


@cache
def peaks(recipe):
    """What tensors take at most, and what the whole run does, by the formula."""
    estimate = estimate_memory(MODEL, recipe, CARD)
    return estimate.bytes_up_to(Level.ALLOCATED), estimate.peak_bytes


def tried(option):
    match option.kind:
        case Kind.INTEGER:
            numbers = {int(option.low), 1, 2, 16, int(option.high)}
            return [n for n in numbers if option.low <= n <= min(option.high, LARGEST)]
        case Kind.NUMBER:
            numbers = {option.low, 0.5, 2.0, option.high}
            return [n for n in numbers if option.low <= n <= min(option.high, LARGEST)]
        case Kind.BOOLEAN:
            return [True, False]
        case Kind.WORDS:
            return [(), ("q_proj", "v_proj")]
        case _:
            return [*option.choices] or ["", "a word"]


def moves(base, option):
    """The values that change a recipe's price, of those that have one."""
    recipe = Recipe().with_values(base)
    for value in tried(option):
        other = recipe.with_value(option.key, value)
        try:
            if peaks(other) != peaks(recipe):
                yield value
        except StudioError:  # no formula prices it
            continue


@pytest.mark.parametrize("key", TABLE)
def test_that_what_moves_the_peak_says_so(key):
    option = TABLE[key]
    moving = [(base, value) for base in BASES for value in moves(base, option)]
    assert option.effect or not moving


@pytest.mark.parametrize("key", ["lora.dropout", "train.accumulation", "lora.rank"])
def test_that_the_recipes_tried_tell_what_moves(key):
    assert any([*moves(base, TABLE[key])] for base in BASES)


def test_that_held_gradients_take_what_their_text_says():
    recipe = Recipe().with_value("train.accumulation", 1)
    alone, held = peaks(recipe)[0], peaks(Recipe())[0]
    assert held - alone == pytest.approx(2 * 41_943_040, rel=0.02)


def test_that_dropout_keeps_much_only_where_nothing_is_recomputed():
    def cost(recomputes):
        recipe = Recipe().with_value("train.checkpointing", recomputes)
        return peaks(recipe.with_value("lora.dropout", 0.1))[0] - peaks(recipe)[0]

    assert cost(False) > (MODEL.layers - 1) * cost(True)
