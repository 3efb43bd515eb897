from hypothesis import example, given
from hypothesis import strategies as st

from studio.domain.memory.allocator import CachingAllocator, EmptyCache, rounded
from studio.domain.memory.on_paper.reserving import ONE_BY_ONE, Pools

MIB = 1 << 20
LEAST = 65 << 10
sizes = st.one_of(st.integers(MIB + 1, 60 * MIB), st.integers(LEAST, MIB)).map(rounded)

# Two free blocks of one size in two segments: which one is taken decides what is left.
TWO_OF_ONE_SIZE = [
    (14680576, 1),
    (14680576, 2),
    (1049088, 0),
    (1049088, 0),
    (27265024, 0),
]


@given(st.lists(st.tuples(sizes, st.integers(0, 12)), max_size=60))
@example(TWO_OF_ONE_SIZE)
def test_that_the_fast_pools_hold_what_the_allocators_model_holds(steps):
    """Each step allocates, and then releases the so manieth live tensor, if any."""
    events, known, live = [], [0], []
    model = CachingAllocator()
    for size, place in steps:
        number = len(known)
        known.append(size)
        live.append(number)
        events.append(number)
        model.allocate(number, size)
        if place < len(live):
            gone = live.pop(place)
            events.append(-gone)
            model.release(gone)
    pools = Pools()
    left = pools.replay(events, known, {})
    assert pools.reserved == model.peak_reserved_bytes
    assert set(left) == set(live)


@given(st.lists(sizes, max_size=20), sizes)
def test_that_an_emptied_pool_serves_as_the_allocators_model_does(before, after):
    model, pools = CachingAllocator(), Pools()
    for number, size in enumerate(before):
        model.allocate(number, size)
    places = [pools.stand(size) for size in before]
    for number in range(0, len(before), 2):
        model.release(number)
        pools.end(places[number])
    model.replay([EmptyCache()])
    pools.empty()
    model.allocate(-1, after)
    pools.stand(after)
    assert pools.reserved == model.peak_reserved_bytes


def test_that_many_equal_tensors_take_free_blocks_before_new_segments():
    pools = Pools()
    pools.end(pools.stand(100 * MIB))
    places = pools.stand(20 * MIB, ONE_BY_ONE + 5)
    assert pools.reserved == 100 * MIB + 2 * 20 * MIB
    pools.end(places)
    pools.stand(20 * MIB, ONE_BY_ONE + 5)
    assert pools.reserved == 100 * MIB + 2 * 20 * MIB


def test_that_many_large_tensors_fill_whole_segments():
    pools = Pools()
    pools.stand(11 * MIB, 10)
    assert pools.reserved == 10 * 12 * MIB


def test_that_tiny_tensors_share_segments():
    pools = Pools()
    places = pools.stand(32 << 10, 65)
    assert pools.reserved == 4 * MIB
    pools.end(places)
    pools.stand(32 << 10, 65)
    assert pools.reserved == 4 * MIB
