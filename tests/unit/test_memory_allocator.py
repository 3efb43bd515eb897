import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.hardware import MIB
from studio.domain.memory.allocator import (
    LARGE_SEGMENT,
    SMALL_SEGMENT,
    Allocation,
    CachingAllocator,
    EmptyCache,
    OutOfCardMemoryError,
    Release,
    rounded,
)


def replayed(*events, capacity=None, expandable=False):
    allocator = CachingAllocator(capacity, expandable_segments=expandable)
    allocator.replay(events)
    return allocator


@pytest.mark.parametrize(
    ("size", "allocated", "reserved"),
    [
        (0, 0, 0),
        (1, 512, SMALL_SEGMENT),
        (512, 512, SMALL_SEGMENT),
        (513, 1024, SMALL_SEGMENT),
        (MIB, MIB, SMALL_SEGMENT),
        (MIB + 1, MIB + 512, LARGE_SEGMENT),
        (10 * MIB - 512, 10 * MIB - 512, LARGE_SEGMENT),
        (10 * MIB, 10 * MIB, 10 * MIB),
        # Not split: the 1 MiB that remains could serve nobody in the large pool.
        (11 * MIB, 12 * MIB, 12 * MIB),
        # Split: more than 1 MiB remains.
        (100 * MIB + 1, 100 * MIB + 512, 102 * MIB),
        (101 * MIB + 1, 102 * MIB, 102 * MIB),
    ],
)
def test_that_sizes_are_rounded_as_torch_rounds_them(size, allocated, reserved):
    allocator = replayed(Allocation(1, size))
    assert allocator.allocated_bytes == allocated
    assert allocator.reserved_bytes == reserved


def test_that_the_rest_of_a_split_block_serves_the_next_request():
    allocator = replayed(Allocation(1, 2 * MIB), Allocation(2, 9 * MIB))
    assert allocator.reserved_bytes == LARGE_SEGMENT
    assert allocator.allocated_bytes == 11 * MIB


def test_that_a_block_is_handed_out_whole_when_the_rest_could_serve_nobody():
    allocator = replayed(
        Allocation(1, 20 * MIB), Release(1), Allocation(2, 19 * MIB + 512)
    )
    assert allocator.allocated_bytes == 20 * MIB


def test_that_freed_neighbours_merge():
    events = [Allocation(n, 5 * MIB) for n in range(4)]
    events += [Release(1), Release(2), Allocation(9, 9 * MIB)]
    assert replayed(*events).reserved_bytes == LARGE_SEGMENT


def test_that_the_smallest_block_that_is_large_enough_is_taken():
    allocator = replayed(
        Allocation(1, 40 * MIB),
        Allocation(2, 30 * MIB),
        Release(1),
        Release(2),
        Allocation(3, 29 * MIB + 512),
        Allocation(4, 40 * MIB),
    )
    assert allocator.reserved_bytes == 70 * MIB


def test_that_of_two_equal_blocks_the_one_in_the_newer_segment_is_taken():
    allocator = replayed(
        Allocation(1, 100 * MIB),
        Allocation(2, 160 * MIB),
        Release(2),
        Allocation(3, 60 * MIB),
        Release(1),
        Allocation(4, 40 * MIB),
        EmptyCache(),
    )
    assert allocator.reserved_bytes == 160 * MIB


def test_that_pools_do_not_serve_each_other():
    allocator = replayed(Allocation(1, 5 * MIB), Allocation(2, 512))
    assert allocator.reserved_bytes == LARGE_SEGMENT + SMALL_SEGMENT


def test_that_cached_segments_are_given_back_before_a_request_fails():
    events = (Allocation(1, 60 * MIB), Release(1), Allocation(2, 80 * MIB))
    allocator = replayed(*events, capacity=100 * MIB)
    assert allocator.retries == 1
    assert allocator.reserved_bytes == 80 * MIB


def test_that_a_request_which_never_fits_is_reported_with_its_place():
    with pytest.raises(OutOfCardMemoryError) as caught:
        replayed(Allocation(1, 60 * MIB), Allocation(2, 60 * MIB), capacity=100 * MIB)
    assert caught.value.at_event == 1
    assert caught.value.requested_bytes == 60 * MIB


def test_that_emptying_the_cache_leaves_segments_in_use():
    allocator = replayed(
        Allocation(1, 5 * MIB), Allocation(2, 30 * MIB), Release(2), EmptyCache()
    )
    assert allocator.reserved_bytes == LARGE_SEGMENT


def test_that_an_expandable_segment_grows_by_its_pages():
    allocator = replayed(Allocation(1, 50 * MIB), expandable=True)
    assert allocator.reserved_bytes == 60 * MIB
    allocator.replay([Allocation(2, 10 * MIB)])
    assert allocator.reserved_bytes == 60 * MIB
    assert allocator.allocated_bytes == 60 * MIB


def test_that_an_expandable_segment_grows_where_separate_ones_would_fragment():
    events = (Allocation(1, 60 * MIB), Release(1), Allocation(2, 80 * MIB))
    assert replayed(*events).reserved_bytes == 140 * MIB
    assert replayed(*events, expandable=True).reserved_bytes == 80 * MIB


def test_that_pages_given_back_are_mapped_again_when_they_are_needed():
    allocator = replayed(
        Allocation(1, 40 * MIB),
        Allocation(2, 20 * MIB),
        Release(1),
        EmptyCache(),
        expandable=True,
    )
    assert allocator.reserved_bytes == 20 * MIB
    allocator.replay([Allocation(3, 40 * MIB)])
    assert allocator.reserved_bytes == 60 * MIB


def test_that_an_expandable_segment_uses_its_growing_end_last():
    allocator = replayed(
        Allocation(1, 40 * MIB),
        Allocation(2, 5 * MIB),
        Release(1),
        Allocation(3, 10 * MIB),
        Allocation(4, 15 * MIB),
        expandable=True,
    )
    assert allocator.reserved_bytes == 60 * MIB
    assert allocator.allocated_bytes == 30 * MIB


steps = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 64 * MIB)), max_size=120)


def trace_of(drawn):
    """Each step gives its tensor back if it lives, else lets it begin."""
    live = set()
    for tensor, size in drawn:
        if tensor in live:
            live.discard(tensor)
            yield Release(tensor)
        else:
            live.add(tensor)
            yield Allocation(tensor, size)
    yield from (Release(tensor) for tensor in live)


@given(steps, st.booleans())
def test_that_the_books_balance(drawn, expandable):
    allocator = CachingAllocator(expandable_segments=expandable)
    live = {}
    for event in trace_of(drawn):
        allocator.replay([event])
        if isinstance(event, Allocation):
            live[event.tensor] = rounded(event.size)
        else:
            del live[event.tensor]
        held = sum(live.values())
        # A block may be handed out with at most 1 MiB that could serve nobody.
        assert held <= allocator.allocated_bytes <= held + len(live) * MIB
        assert allocator.allocated_bytes <= allocator.reserved_bytes
    assert allocator.allocated_bytes == 0
    allocator.replay([EmptyCache()])
    assert allocator.reserved_bytes == 0


@given(steps)
def test_that_a_card_as_large_as_the_reserved_peak_needs_no_retry(drawn):
    trace = list(trace_of(drawn))
    peak = replayed(*trace).peak_reserved_bytes
    allocator = replayed(*trace, capacity=peak)
    assert allocator.retries == 0
    assert allocator.peak_reserved_bytes == peak


@given(steps)
def test_that_a_card_smaller_than_the_tensors_runs_out(drawn):
    trace = list(trace_of(drawn))
    peak = replayed(*trace, expandable=True).peak_allocated_bytes
    if peak:
        with pytest.raises(OutOfCardMemoryError):
            replayed(*trace, capacity=peak - 1)
