from hypothesis import example, given
from hypothesis import strategies as st

from studio.domain.memory.allocator import CachingAllocator, rounded
from studio.domain.memory.on_paper.reserving import unused_by

MIB = 1 << 20
sizes = st.integers(MIB + 1, 60 * MIB).map(rounded)

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
def test_that_the_fast_pool_holds_what_the_allocators_model_holds(steps):
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
    expected = model.peak_reserved_bytes - model.peak_allocated_bytes
    assert unused_by(events, known) == expected
