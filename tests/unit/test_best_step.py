"""Which step measured best, and what of a recipe's patience can't be followed."""

import pytest

from studio.domain.best_step import best_step, measured_since_best, ranked
from studio.domain.finding import Severity
from studio.domain.recipe import Recipe


@pytest.mark.parametrize(
    ("losses", "best", "since"),
    [
        ({}, 0, 0),
        ({0: 1.0}, 0, 0),
        ({0: 1.0, 5: 9.0}, 5, 0),
        ({0: 1.0, 5: 2.0, 10: 3.0, 15: 2.5}, 5, 2),
        ({0: 9.0, 5: 2.0, 10: 2.0}, 5, 1),
        ({10: 1.0, 5: 2.0, 0: 9.0}, 10, 0),
    ],
)
def test_that_the_best_is_the_earliest_trained_step_of_the_lowest_loss(
    losses, best, since
):
    assert (best_step(losses), measured_since_best(losses)) == (best, since)


def test_that_steps_are_ranked_by_their_loss():
    assert ranked({0: 0.1, 5: 3.0, 10: 2.0, 15: 3.0}) == [
        (2.0, 10),
        (3.0, 5),
        (3.0, 15),
    ]


@pytest.mark.parametrize(
    ("values", "named", "mend"),
    [
        ({"train.patience": 3}, "train.patience", {"train.eval_steps": 50}),
        ({"train.patience": 3}, "train.patience", {"train.patience": 0}),
        (
            {"train.patience": 3, "data.held_out": 0.0},
            "train.patience",
            {"train.patience": 0},
        ),
        (
            {"train.eval_steps": 3, "data.held_out": 0.0},
            "train.eval_steps",
            {"data.held_out": 0.05},
        ),
    ],
)
def test_that_nothing_is_waited_for_that_is_never_measured(values, named, mend):
    recipe = Recipe().with_values(values)
    (finding,) = recipe.contradictions()
    assert finding.where == named
    assert all(key in finding.how_to_fix for key in mend)
    assert not recipe.with_values(mend).contradictions()


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "train.eval_steps at 0"),
        ({"data.held_out": 0.0}, "No rows are held back"),
    ],
)
def test_that_leaving_the_best_of_one_measurement_is_told_to_be_without_effect(
    values, why
):
    recipe = Recipe().with_values({"train.keep_best": True, **values})
    (told,) = recipe.remarks()
    assert (told.severity, told.where) == (Severity.INFO, "train.keep_best")
    assert why in told.why
    mended = recipe.with_values({"data.held_out": 0.05, "train.eval_steps": 50})
    assert not mended.remarks()
    assert not mended.contradictions()


def test_that_patience_leaves_the_best_by_itself():
    assert not Recipe().train.keeps_best
    assert Recipe().with_value("train.patience", 1).train.keeps_best
    assert Recipe().with_value("train.keep_best", True).train.keeps_best
