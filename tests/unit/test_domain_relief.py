"""What a run does by itself when memory ran out."""

import pytest

from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.domain.relief import (
    MOST_TIMES,
    changes_between,
    relief_words,
    reliefs,
    relieved,
)


def recipe_of(micro, accumulation=1, *, checkpointing=False):
    return Recipe().with_values(
        {
            "train.micro_batch": micro,
            "train.accumulation": accumulation,
            "train.checkpointing": checkpointing,
        }
    )


@pytest.mark.parametrize(
    ("micro", "smaller"), [(8, 4), (2, 1), (6, 3), (9, 3), (7, 1), (1, None)]
)
def test_that_the_micro_batch_shrinks_and_each_step_keeps_its_rows(micro, smaller):
    before = recipe_of(micro, 3, checkpointing=True)
    after = relieved(before, on_card=False)
    if smaller is None:
        assert after is None
        return
    assert after.train.micro_batch == smaller
    assert after.effective_batch() == before.effective_batch()
    changed = set(changes_between(before, after))
    assert changed == {"train.micro_batch", "train.accumulation"}


def test_that_options_follow_when_one_row_is_still_too_much():
    order = [each for _, each in zip(range(9), reliefs(recipe_of(4)), strict=False)]
    told = [
        (r.train.micro_batch, r.train.checkpointing, r.train.offload) for r in order
    ]
    assert told == [
        (4, False, False),
        (2, False, False),
        (1, False, False),
        (1, True, False),
        (1, True, True),
    ]
    assert not any(each.contradictions() for each in order)


def test_that_nothing_is_moved_off_a_processor_into_its_own_memory():
    recomputing = recipe_of(1, checkpointing=True)
    assert relieved(recomputing, on_card=False) is None
    moved = relieved(recomputing, on_card=True)
    assert changes_between(recomputing, moved) == {"train.offload": (False, True)}
    assert relieved(moved, on_card=True) is None


def test_that_the_largest_batch_comes_down_to_one_row_with_an_option_to_spare():
    *_, last = reliefs(recipe_of(128))
    assert (last.train.micro_batch, last.train.offload) == (1, True)
    assert len(tuple(reliefs(recipe_of(128)))) <= MOST_TIMES + 1


def test_that_rated_answers_keep_company_and_are_recomputed_instead():
    rated = recipe_of(4).with_values(
        {"train.method": "kto", "train.checkpointing": False}
    )
    two = relieved(rated, on_card=True)
    assert two.train.micro_batch == 2
    recomputed = relieved(two, on_card=True)
    assert recomputed.train.micro_batch == 2
    assert recomputed.train.checkpointing


def test_that_an_accumulation_beyond_its_range_is_passed_over():
    most = 1
    for accumulation in (1 << n for n in range(24)):
        try:
            recipe_of(2, accumulation)
        except StudioError:  # beyond the option's range
            break
        most = accumulation
    eased = relieved(recipe_of(2, most), on_card=True)
    assert (eased.train.micro_batch, eased.train.checkpointing) == (2, True)


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (recipe_of(8), "takes 4 rows at a time instead of 8, twice as often"),
        (recipe_of(2), "takes 1 row at a time instead of 2, twice as often"),
        (recipe_of(9), "takes 3 rows at a time instead of 9, 3 times as often"),
        (
            recipe_of(1),
            "recomputes layers instead of remembering them, which takes longer",
        ),
        (
            recipe_of(1, checkpointing=True),
            "keeps what layers remember in main memory, which takes longer",
        ),
    ],
)
def test_that_what_a_relief_changes_is_told_in_words(before, words):
    after = relieved(before, on_card=True)
    assert relief_words(before, after) == f"{words}; it learns the same"
