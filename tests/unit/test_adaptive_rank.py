"""When an adapter's rank is spread, and how it is told."""

from dataclasses import replace

import pytest

from studio.domain.adaptive_rank import (
    LEAST_STEPS,
    Course,
    ranks_words,
    starting_rank,
    too_few_steps,
)
from studio.domain.memory.outside_formula import outside_formula
from studio.domain.recipe import Recipe

ADALORA = Recipe().with_value("lora.variant", "adalora")


@pytest.mark.parametrize(("rank", "start"), [(1, 2), (3, 5), (8, 12), (16, 24)])
def test_that_layers_begin_with_half_as_much_rank_again(rank, start):
    assert starting_rank(rank) == start
    assert ADALORA.with_value("lora.rank", rank).lora.held_rank == start
    assert Recipe().with_value("lora.rank", rank).lora.held_rank == rank


@pytest.mark.parametrize("total", [1, 2, 3, LEAST_STEPS, 14, 100, 12345])
def test_that_directions_only_ever_become_fewer(total):
    course = Course(total)
    kept = [course.kept(step, 240, 160) for step in range(1, total + 1)]
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] == 160
    assert kept[: course.first] == [240] * course.first
    assert kept[course.last - 1] == 160


def test_that_they_become_fewer_by_the_cube_of_what_is_left():
    """Equation 11 of Zhang et al. (2023)."""
    course = Course(100)
    assert (course.first, course.last) == (10, 70)
    assert course.kept(40, 240, 160) == 160 + 80 // 8
    assert course.kept(11, 240, 160) == int(160 + 80 * (59 / 60) ** 3)


def test_that_a_course_leaves_steps_on_either_side():
    course = Course(LEAST_STEPS)
    assert 0 < course.first < course.last < LEAST_STEPS


def test_that_ranks_are_told_in_one_sentence():
    ranks = {"a": 4, "b": 24, "c": 20}
    assert ranks_words(ranks) == "Ranks from 4 to 24 over 3 layers, 16 on average."
    assert ranks_words({}) == ""


@pytest.mark.parametrize(("steps", "clashes"), [(9, 1), (10, 0), (0, 0)])
def test_that_a_short_run_is_refused(steps, clashes):
    found = ADALORA.with_value("train.max_steps", steps).contradictions()
    assert [each.where for each in found] == ["train.max_steps"] * clashes
    assert bool(too_few_steps(steps or LEAST_STEPS)) == bool(clashes)


def test_that_no_adapter_needs_no_steps():
    values = {"train.max_steps": 3, "train.weights": "all", "model.precision": "fp32"}
    codes = [each.code for each in ADALORA.with_values(values).contradictions()]
    assert "recipe.adalora-too-short" not in codes


@pytest.mark.parametrize("method", ["sft", "dpo", "orpo", "kto"])
def test_that_every_method_can_spread_a_rank(method):
    values = {"train.method": method, "train.micro_batch": 2, "lora.dropout": 0}
    assert not ADALORA.with_values(values).contradictions()


def test_that_no_formula_prices_it():
    assert "AdaLoRA" in outside_formula(ADALORA).what
    plain = replace(ADALORA, lora=Recipe().lora)
    assert outside_formula(plain) is None
