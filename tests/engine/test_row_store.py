"""Rows of tokens in little room."""

import tracemalloc

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.engine.chat_rendering import IGNORED, TrainingRow
from studio.engine.packing import example
from studio.engine.row_store import EMPTY, PackedRow, PackStore, RowStore

pytestmark = pytest.mark.torch

TOKENS = st.lists(st.integers(0, 2**31 - 1), max_size=6)


def row(ids, ends=True):
    return TrainingRow(ids, [IGNORED, *ids[1:]] if ids else [], ends)


@given(st.lists(st.tuples(TOKENS, st.booleans()), max_size=5))
def test_that_rows_come_back_as_they_went_in(given_rows):
    rows = [row(ids, ends) for ids, ends in given_rows]
    store = RowStore(rows)
    assert list(store) == rows
    assert store[1:] == rows[1:]
    assert [store.tokens_of(at) for at in range(len(store))] == [
        len(each.input_ids) for each in rows
    ]


def test_that_a_place_beyond_the_rows_is_refused():
    store = RowStore([row([1, 2])])
    assert store[-1] == row([1, 2])
    with pytest.raises(IndexError):
        store[1]


def test_that_the_trainer_is_given_the_same_numbers():
    rows = [row([5, 6, 7]), EMPTY, row([8, 9])]
    assert list(RowStore(rows).data_set()) == [example(each) for each in rows]


def test_that_packs_keep_where_their_chats_begin():
    packs = [
        PackedRow([1, 2, 3], [IGNORED, 2, IGNORED], True, (2, 1)),
        PackedRow([4], [4], False, (1,)),
    ]
    store = PackStore(packs)
    assert list(store) == packs
    assert list(store.data_set()) == [example(each) for each in packs]


def test_that_a_data_set_outlives_the_store():
    data = RowStore([row([5, 6, 7])] * 1000).data_set()
    assert data[999]["input_ids"] == [5, 6, 7]


@pytest.fixture
def taken():
    """Bytes that Python's allocator and Arrow's pool gave out since the start."""
    tracemalloc.start()
    pool = pa.total_allocated_bytes()
    yield (
        lambda: tracemalloc.get_traced_memory()[0] + pa.total_allocated_bytes() - pool
    )
    tracemalloc.stop()


def test_that_a_token_takes_8_bytes_and_the_data_set_none_more(taken):
    one = row(list(range(1000, 2000)))
    RowStore([one]).data_set()  # what is loaded once
    tokens = 4_000 * len(one.input_ids)
    before = taken()
    store = RowStore(one for _ in range(4_000))
    held = taken()
    data = store.data_set()
    with_data = taken()
    assert len(data) == 4_000
    assert 8 * tokens <= held - before < 10 * tokens  # arrays grow ahead of need
    assert with_data - held < tokens
