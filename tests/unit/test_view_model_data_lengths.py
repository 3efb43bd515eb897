"""What a sequence length does to a file's rows, in words."""

from dataclasses import replace

import pytest

from studio.domain.dataset import ChatFile
from studio.domain.hardware import GIB
from studio.domain.memory.estimate import Basis, Component, Group, MemoryEstimate
from studio.domain.recipe import Recipe
from studio.domain.recommend.duration import Seconds
from studio.domain.token_lengths import TokenLengths
from studio.ui.pages.data.lengths import Price, length_words, padding_share

UNPRICED = Price()


def file_of(tokens, *, counted=True):
    lengths = TokenLengths(tuple(sorted(tokens)), counted=counted)
    return ChatFile("/c.jsonl", (), (), 1, "Chat rows", lengths=lengths)


def said(tokens, length, *, rows=1, now=UNPRICED, then=UNPRICED, counted=True):
    recipe = Recipe().with_value("train.sequence_length", length)
    recipe = recipe.with_value("train.micro_batch", rows)
    return length_words(file_of(tokens, counted=counted), recipe, now, then)


def facts(words):
    return {fact.title: fact.value for fact in words.facts}


def test_that_the_share_kept_whole_is_told():
    words = said([100] * 989 + [3000] * 11, 2048)
    assert words.headline == "Sequence **2,048**: 98.9 % whole"
    assert (words.rows_cut, words.cut) == (11, "11 rows are cut here")


def test_that_one_row_of_many_is_never_rounded_away():
    words = said([100] * 99_999 + [3000], 2048)
    assert "100" not in words.headline
    assert words.cut == "1 row is cut here"


def test_that_all_whole_is_said_so():
    words = said([100, 200], 256)
    assert words.headline == "Sequence **256**: all rows whole"
    assert words.cut == "No row is cut"


def test_that_judged_lengths_say_that_they_are():
    assert said([100], 256).unit == "in tokens"
    assert said([100], 256, counted=False).unit == "in tokens, estimated"


def test_that_one_row_at_a_time_has_no_padding():
    assert facts(said([10, 1000], 2048))["Padding wasted"] == "none"
    at_two = facts(said([100, 300], 2048, rows=2))
    assert at_two["Padding wasted"] == "up to 20 %"


def test_that_padding_is_what_the_longest_of_a_batch_costs():
    # Of two rows drawn from 100 and 300, the longest is 300 three times in four.
    lengths = TokenLengths.of([100, 300])
    recipe = Recipe().with_value("train.micro_batch", 2)
    assert padding_share(recipe, lengths) == pytest.approx(1 - 200 / 250)
    cut = recipe.with_value("train.sequence_length", 100)
    assert padding_share(cut, lengths) == pytest.approx(0.0)


def test_that_packing_s_gain_is_told_where_there_is_one():
    assert facts(said([128] * 16, 1024))["Packing"] == "would put 8.0 in one"
    assert facts(said([1000] * 16, 1024))["Packing"] == "gains little"


def test_that_judged_answers_are_not_offered_to_be_packed():
    recipe = Recipe().with_value("train.method", "dpo")
    words = length_words(file_of([128] * 16), recipe, UNPRICED, UNPRICED)
    assert facts(words)["Packing"] == "not done"


def test_that_time_follows():
    words = said([100], 256, then=Price(total=Seconds(720, 900)))
    assert facts(words)["Time to train"] == "12 to 15 min"


def test_that_a_length_that_the_card_has_no_room_for_is_said_so():
    part = Component("Weights", Group.WEIGHTS, 4 * GIB)
    peak = MemoryEstimate(
        components=(part,), phase="", basis=Basis.FORMULA, expected_error=0.1
    )
    (fact,) = [
        fact
        for fact in said([100], 256, then=Price(peak, None, GIB, fits=False)).facts
        if fact.is_bad
    ]
    assert fact.title == "Peak memory: too much"
    assert fact.value == "4.00 of 1.00 GiB"


def test_that_the_first_rows_of_a_large_file_tell_no_time():
    file = replace(file_of([100]), is_whole=False)
    price = Price(total=Seconds(720, 900))
    words = facts(length_words(file, Recipe(), price, price))
    assert words["Time to train"] == "not known yet"


def test_that_what_nobody_knows_is_said_to_be_unknown():
    words = facts(said([100], 256))
    assert words["Peak memory"] == words["Time to train"] == "not known yet"
