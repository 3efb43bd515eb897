"""How long the rows are that a run goes over, and the steps and disk that follow."""

import random
from dataclasses import replace

import pytest

from studio.domain.dataset import Chat, ChatFile, MixedFile, Turn
from studio.domain.mixing import MixWord
from studio.domain.packing import best_fit
from studio.domain.recipe import Recipe
from studio.domain.token_lengths import TokenLengths
from studio.services.preflight import preflight
from studio.services.recommending import steps_of
from tests.unit.test_services_preflight import PLACE

CAPACITY = 512


def file_of(lengths, *, counted=True):
    said = Turn("user", "?"), Turn("assistant", "!")
    chats = tuple(Chat(said, line) for line in range(1, len(lengths) + 1))
    told = replace(TokenLengths.of(lengths), counted=counted)
    return ChatFile("a.jsonl", chats, (), 0, "chats", lengths=told)


def drawn(low, high, count, seed):
    chance = random.Random(seed)
    return [chance.randint(low, high) for _ in range(count)]


@pytest.fixture
def recipe():
    values = {"train.packing": True, "train.sequence_length": CAPACITY}
    values |= {"train.accumulation": 1, "train.epochs": 1.0, "data.held_out": 0.0}
    return Recipe().with_values({**values, "data.path": "a.jsonl"})


def test_that_a_spread_keeps_what_is_short_and_long():
    lengths = TokenLengths.of([1, 2, 3, 4, 100])
    assert lengths.spread(5) == [1, 2, 3, 4, 100]
    assert lengths.spread(10) == [1, 1, 2, 2, 3, 3, 4, 4, 100, 100]
    assert lengths.spread(1) == [3]
    assert TokenLengths().spread(3) == []


def test_that_steps_of_a_packed_mix_follow_both_files_lengths(recipe):
    short, long = drawn(10, 40, 3000, 1), drawn(300, 500, 2000, 2)
    main = file_of(short)
    mixed = replace(main, mixed=(MixedFile(MixWord("b.jsonl", 0.25), file_of(long)),))
    taken = random.Random(3).sample(long, 1000)
    true = len(best_fit([*short, *taken], CAPACITY))
    assert steps_of(recipe, mixed) == pytest.approx(true, rel=0.03)
    alone = len(best_fit(short, CAPACITY))
    assert steps_of(recipe, main) == pytest.approx(alone, rel=0.03)


def test_that_lengths_are_counted_only_where_all_of_them_are():
    main = file_of(drawn(10, 40, 300, 1))
    judged = file_of(drawn(10, 40, 300, 2), counted=False)
    mixed = replace(main, mixed=(MixedFile(MixWord("b.jsonl", 0.25), judged),))
    assert main.training_lengths(0.0, 1).counted
    assert not mixed.training_lengths(0.0, 1).counted


def test_that_a_packed_run_needs_the_disk_of_its_own_steps(recipe):
    often = recipe.with_values(
        {
            "train.save_minutes": 0,
            "train.save_steps": 100,
            "train.keep_checkpoints": 10,
            "lora.rank": 64,
        }
    )
    data = file_of(drawn(10, 20, 2000, 1))

    def is_short(recipe, free):
        found = preflight(recipe, PLACE, None, free, data)
        return "disk.short" in [finding.code for finding in found]

    loose = often.with_value("train.packing", value=False)
    least = next(1 << n for n in range(20, 45) if not is_short(often, 1 << n))
    assert is_short(loose, least)


def test_that_rows_to_be_cut_are_told_as_they_were_measured(recipe):
    for counted, words in ((True, "tokens."), (False, "tokens, by their characters.")):
        data = file_of([20, 900], counted=counted)
        found = preflight(recipe, PLACE, None, None, data)
        [cut] = [finding for finding in found if finding.code == "data.rows-cut"]
        assert cut.what.endswith(words)
