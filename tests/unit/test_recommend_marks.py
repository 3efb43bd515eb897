"""Marks: worked out by the memory model, for one recipe that is the same for all."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.architecture import ModelArchitecture
from studio.domain.cards import find_card
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.formula import estimate_memory
from studio.domain.recipe_options import Attention, ComputeDtype, Precision
from studio.domain.recommend.marks import (
    Mark,
    frugal_recipe,
    longest_texts,
    mark,
)
from studio.domain.recommend.proposal import headroom_bytes
from studio.services.cards import known_cards
from studio.storage.model_list import find_known, known_models
from studio.system.resources import resource_root

LISTS = resource_root() / "models"
MARKS = list(Mark)


def shape(name):
    return ModelArchitecture.from_config(find_known(LISTS, name).whole_config)


def card(name):
    return find_card(known_cards(), name).device()


def card_of(gib_free, **changes):
    size = round(gib_free * GIB)
    device = TrainingDevice(
        kind="cuda", name="", total_bytes=size, free_bytes=size, has_bf16=True
    )
    return replace(device, **changes)


@pytest.mark.parametrize(
    ("model", "gpu", "expected"),
    [
        ("Llama-3.1-8B-Instruct", "RTX 4090", Mark.COMFORTABLE),
        ("Qwen2.5-7B-Instruct", "T4", Mark.COMFORTABLE),
        ("Llama-3.3-70B-Instruct", "L40S", Mark.COMFORTABLE),
        ("Llama-3.3-70B-Instruct", "RTX 4090", Mark.NOT_HERE),
        ("Phi-4-mini-instruct", "RTX 4060", Mark.COMFORTABLE),
        ("Mixtral-8x7B-Instruct-v0.1", "RTX 4090", Mark.NOT_HERE),
    ],
)
def test_that_models_train_where_people_train_them(model, gpu, expected):
    assert mark(shape(model), card(gpu)).mark is expected


def test_that_a_mark_is_what_the_memory_model_says_of_the_frugal_recipe():
    model, device = shape("Qwen3-8B"), card_of(24)
    recipe = frugal_recipe(model, device)
    peak = estimate_memory(model, recipe, device).peak_bytes
    room = headroom_bytes(device)
    just = replace(device, free_bytes=peak + room)
    found = mark(model, just)
    assert (found.mark, found.peak_bytes) == (Mark.COMFORTABLE, peak)
    assert mark(model, replace(just, free_bytes=peak + room - 1)).mark is Mark.TIGHT
    least = replace(just, free_bytes=found.needed_bytes)
    assert mark(model, least).mark is Mark.TIGHT
    short = mark(model, replace(just, free_bytes=found.needed_bytes - 1))
    assert (short.mark, short.short_bytes) == (Mark.NOT_HERE, 1)


def test_that_the_frugal_recipe_is_what_the_list_says_it_is():
    recipe = frugal_recipe(shape("Qwen3-8B"), card_of(24))
    assert recipe.model.precision is Precision.NF4
    assert recipe.model.double_quant
    assert recipe.lora.rank == 16
    assert recipe.train.checkpointing
    assert (recipe.train.micro_batch, recipe.train.sequence_length) == (1, 1024)
    assert not recipe.contradictions()


def test_that_the_recipe_keeps_to_what_card_and_model_can():
    old = card_of(16, has_bf16=False, compute_capability=(7, 5))
    recipe = frugal_recipe(shape("gemma-2-2b-it"), old)
    assert recipe.model.compute_dtype is ComputeDtype.FP16
    assert recipe.model.attention is Attention.EAGER
    assert not recipe.contradictions()


def test_that_a_vision_part_is_counted_with_what_is_loaded():
    model, device = shape("gemma-3-4b-it"), card_of(24)
    blind = mark(replace(model, tower=None), device)
    more = mark(model, device).peak_bytes - blind.peak_bytes
    # Half a byte a linear weight and two a position and a norm, and the adapters; what
    # the allocator holds beside them rounds it.
    assert 0.4 < more / model.tower.weights < 0.8


def test_that_models_of_one_shape_and_other_free_memory_are_priced_once():
    estimate_memory.cache_clear()
    mark(shape("Qwen2.5-7B-Instruct"), card_of(24))
    mark(shape("DeepSeek-R1-Distill-Qwen-7B"), card_of(24))
    mark(shape("Qwen2.5-7B-Instruct"), card_of(9))
    assert estimate_memory.cache_info().misses == 1


def test_that_each_mark_says_why():
    model = shape("Qwen3-8B")
    peak = mark(model, card_of(24)).peak_bytes / GIB
    reasons = [mark(model, card_of(free)).reason for free in (24, peak + 0.1, 4)]
    assert "leaves" in reasons[0]
    assert "kept for other programs" in reasons[1]
    assert "more than is free" in reasons[2]


@given(
    st.sampled_from(known_models(LISTS)),
    st.floats(1, 200),
    st.floats(0, 100),
)
def test_that_more_memory_never_makes_a_mark_worse(known, free, more):
    model = ModelArchitecture.from_config(known.whole_config)
    few, many = mark(model, card_of(free)), mark(model, card_of(free + more))
    assert MARKS.index(many.mark) <= MARKS.index(few.mark)


def test_that_the_longest_texts_end_with_the_first_that_does_not_fit():
    model, device = shape("Qwen2.5-7B-Instruct"), card("RTX 4070")
    recipe = frugal_recipe(model, device)
    told = longest_texts(model, device)
    fits = [found.least_bytes <= device.free_bytes for _, found in told]
    assert fits == [True, True, True, False]
    lengths = [length for length, _ in told]
    assert all(after == 2 * before for before, after in pairwise(lengths))
    for length, found in told:
        exact = recipe.with_value("train.sequence_length", length)
        assert found.peak_bytes == estimate_memory(model, exact, device).peak_bytes


def test_that_no_text_is_longer_than_the_model_reads():
    model, device = shape("Qwen2.5-7B-Instruct"), card("B200")
    told = longest_texts(model, device)
    assert told[-1][0] == model.context
    tiny = replace(model, context=300)
    assert [length for length, _ in longest_texts(tiny, device)] == [300]
