from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from studio.domain.packing import best_fit, rows_as_trained, rows_in_a_pack
from studio.domain.token_lengths import TokenLengths
from studio.domain.train_options import TrainOptions

LENGTHS = st.lists(st.integers(1, 400), max_size=200)
PACKING = TrainOptions(packing=True, sequence_length=256)


@given(LENGTHS, st.integers(16, 300))
def test_that_every_row_is_in_one_pack_and_no_pack_overflows(lengths, capacity):
    packs = best_fit(lengths, capacity)
    assert sorted(at for pack in packs for at in pack) == list(range(len(lengths)))
    held = [sum(min(lengths[at], capacity) for at in pack) for pack in packs]
    assert all(0 < each <= capacity for each in held)
    # No two packs would fit into one.
    assert sum(each <= capacity / 2 for each in held) <= 1


@given(LENGTHS, st.integers(16, 300))
def test_that_the_same_rows_are_packed_alike(lengths, capacity):
    assert best_fit(lengths, capacity) == best_fit(list(lengths), capacity)


def test_that_the_longest_takes_the_fullest_place_that_holds_it():
    # 60 opens a pack, 50 another; 40 fits both and closes the first.
    assert best_fit([40, 50, 60, 50], 100) == [[2, 0], [1, 3]]


@given(LENGTHS, st.integers(1, 5))
def test_that_longer_packs_hold_no_fewer_rows(lengths, times):
    short = rows_in_a_pack(TokenLengths.of(lengths), 128)
    assert 1 <= short <= rows_in_a_pack(TokenLengths.of(lengths), 400 * 128 * times)


def test_that_a_long_file_is_told_by_some_of_its_rows():
    few = TokenLengths.of([10, 20, 30, 40] * 100)
    many = TokenLengths.of([10, 20, 30, 40] * 10_000)
    assert rows_in_a_pack(many, 100) == rows_in_a_pack(few, 100) == 4


def test_that_packs_count_as_the_rows_that_are_trained():
    lengths = TokenLengths.of([64] * 80)
    assert rows_as_trained(80, PACKING, lengths) == 20
    assert rows_as_trained(1, PACKING, lengths) == 1
    assert rows_as_trained(0, PACKING, lengths) == 0
    assert rows_as_trained(80, replace(PACKING, packing=False), lengths) == 80
    assert rows_as_trained(80, PACKING, TokenLengths()) == 80
