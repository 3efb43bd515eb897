"""The length histogram's bars and the places of its line."""

import random

import pytest

from studio.domain.token_lengths import TokenLengths
from studio.ui.charts.length_state import (
    LONGEST_LINE,
    SHORTEST_LINE,
    LengthBars,
    bars_of,
    ticks,
    token_ticks,
)


@pytest.mark.parametrize("longest", [1, 7, 90, 1000, 3912, 30_000, 400_000])
def test_that_bars_hold_every_row_once(longest):
    chance = random.Random(longest)
    tokens = [chance.randint(0, longest) for _ in range(500)] + [longest]
    bars = bars_of(TokenLengths.of(tokens))
    assert sum(bars.rows) == 501
    for place, rows in enumerate(bars.rows):
        low, high = place * bars.width, (place + 1) * bars.width
        inside = [t for t in tokens if low < t <= high or (t == 0 == place)]
        assert rows == len(inside)


def test_that_usual_rows_have_bars_of_128_tokens():
    assert bars_of(TokenLengths.of([300, 2_000, 3_912])).width == 128


def test_that_short_rows_have_narrower_bars_and_long_ones_wider():
    assert bars_of(TokenLengths.of([30, 110])).width < 128
    assert len(bars_of(TokenLengths.of([30, 30_000])).rows) <= 64


def test_that_a_bar_with_the_line_in_it_is_cut_in_part():
    lengths = TokenLengths.of([100, 150, 200, 1500])
    bars = bars_of(lengths)
    line = 160
    cut = lengths.longer_than(line)
    assert bars.width == 128
    in_bars = [bars.cut_of(place, line, cut) for place in range(len(bars.rows))]
    assert in_bars[:2] == [0, 1]
    assert sum(in_bars) == cut


def test_that_keys_move_the_line_by_steps_and_pages():
    bars = LengthBars(width=128, rows=(1,), shortest=10, longest=100)
    assert bars.moved(1024, 1) == 1152
    assert bars.moved(1024, -1) == 896
    assert bars.moved(1000, -1) == 896
    assert bars.moved(1000, 1) == 1024
    assert bars.paged(1024, 1) == 1536


def test_that_the_line_stays_where_a_recipe_may_have_it():
    bars = LengthBars(width=512)
    assert bars.moved(SHORTEST_LINE, -3) == SHORTEST_LINE
    assert bars.paged(LONGEST_LINE, 9) == LONGEST_LINE


def test_that_the_axis_shows_rows_and_line_but_no_line_far_beyond():
    bars = bars_of(TokenLengths.of([30, 110]))
    assert bars.farthest(64) >= 110
    assert bars.farthest(150) >= 150
    assert bars.farthest(100_000) <= 2 * 110 + bars.width


@pytest.mark.parametrize("farthest", [1, 64, 1000, 4096, 1_000_000])
def test_that_ticks_are_few_and_on_the_axis(farthest):
    for found in (ticks(farthest, 5), token_ticks(farthest, 5)):
        assert found[0] == 0
        assert found[-1] <= farthest
        assert len(found) <= 6


def test_that_no_rows_make_no_bars():
    assert bars_of(TokenLengths()).rows == ()
