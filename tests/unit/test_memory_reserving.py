import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.allocator import CachingAllocator, EmptyCache, rounded
from studio.domain.memory.formula import estimate_memory
from studio.domain.memory.on_paper.extent import Extent
from studio.domain.memory.on_paper.holding import kept
from studio.domain.memory.on_paper.record import Template
from studio.domain.memory.on_paper.reserving import ONE_BY_ONE, Pools
from studio.domain.memory.on_paper.tape import Tape
from studio.domain.train_options import Optimizer
from tests.bench.formula_grid import config_of, recipe_of

MIB = 1 << 20
NUMBERS = Extent.of(0, 0).amounts(0)
sizes = st.integers(MIB + 1, 60 * MIB).map(rounded)

# Two free blocks of one size in two segments: which one is taken decides what is left.
TWO_OF_ONE_SIZE = [
    (14680576, 1),
    (14680576, 2),
    (1049088, 0),
    (1049088, 0),
    (27265024, 0),
]


def written(steps):
    """Events and sizes; each step allocates and then releases a live tensor, if any."""
    events, known, live = [], [0], []
    for size, place in steps:
        number = len(known)
        known.append(size)
        live.append(number)
        events.append(number)
        if place < len(live):
            events.append(-live.pop(place))
    return events, known, live


def part_of(known, counts, events):
    """All events of a tape with such sizes, as pools read them."""
    tape = Tape()
    tape.events, tape.sizes, tape.counts = events, known, counts
    tape.names = [""] * len(known)
    (part,) = Template(tape, events).at(NUMBERS).parts()
    return part


def reserved_by_the_model(events, known):
    model = CachingAllocator()
    for number in events:
        if number > 0:
            model.allocate(number, known[number])
        else:
            model.release(-number)
    return model.peak_reserved_bytes


@given(st.lists(st.tuples(sizes, st.integers(0, 12)), max_size=60))
@example(TWO_OF_ONE_SIZE)
def test_that_the_fast_pools_hold_what_the_allocators_model_holds(steps):
    events, known, live = written(steps)
    pools = Pools()
    left = pools.replay(part_of(known, {}, events))
    assert pools.reserved == reserved_by_the_model(events, known)
    assert set(left) == set(live)


@given(
    st.lists(st.tuples(sizes, st.integers(0, 12)), max_size=30),
    st.lists(st.tuples(sizes, st.integers(0, 12)), max_size=30),
)
def test_that_a_copy_goes_on_as_its_original_does_and_leaves_it_alone(before, after):
    first, known, _ = written(before)
    second, more, _ = written(after)
    pools = Pools()
    pools.replay(part_of(known, {}, first))
    held = pools.reserved
    copied, _ = pools.copied()
    copied.replay(part_of(more, {}, second))
    assert pools.reserved == held
    pools.replay(part_of(more, {}, second))
    assert pools.reserved == copied.reserved


@given(
    st.lists(st.tuples(sizes, st.integers(0, 12)), max_size=30),
    st.lists(st.tuples(sizes, st.integers(0, 12)), max_size=30),
    st.booleans(),
)
def test_that_what_stands_in_a_copy_can_end_there(before, after, has_many):
    first, known, _ = written(before)
    second, more, _ = written(after)
    counts = {1: 7} if has_many and before else {}
    if counts:
        known[1] *= 7
    pools = Pools()
    left = pools.replay(part_of(known, counts, first))
    held = pools.reserved
    copied, images = pools.copied(left)
    assert set(images) == set(left)
    for each, standing in ((copied, images), (pools, left)):
        for places in standing.values():
            each.end(places)
        if each is copied:
            assert pools.reserved == held
        each.replay(part_of(more, {}, second))
    assert pools.reserved == copied.reserved


@pytest.mark.parametrize("name", ["default-2k", "full-acc1", "pairs", "lion-r256"])
def test_that_another_optimizer_finds_what_a_run_of_its_own_would(name):
    model = ModelArchitecture.from_config(config_of("smollm2-1.7b", 2))
    device = TrainingDevice(
        kind="cuda",
        name="",
        total_bytes=80 * GIB,
        free_bytes=80 * GIB,
        has_bf16=True,
        compute_capability=(8, 9),
    )
    price, recipe = estimate_memory.__wrapped__, recipe_of("smollm2-1.7b", name)
    recipes = [
        recipe.with_value("train.optimizer", each.value) for each in list(Optimizer)
    ]
    alone = []
    for each in recipes:
        kept.cache_clear()
        alone.append(price(model, each, device))
    kept.cache_clear()
    for _ in range(2):
        assert [price(model, each, device) for each in recipes] == alone
    assert kept.cache_info().hits > len(recipes)


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


def test_that_small_tensors_share_segments():
    pools = Pools()
    places = pools.stand(512 << 10, 5)
    assert pools.reserved == 4 * MIB
    pools.end(places)
    pools.stand(512 << 10, 5)
    assert pools.reserved == 4 * MIB


def test_that_a_tapes_small_tensors_count_at_their_highest_alone():
    small, large = 768 << 10, 30 * MIB
    pools = Pools()
    known = [0, small, large, small, small]
    pools.replay(part_of(known, {}, [1, 2, 3, -1, -3, 4]))
    assert pools.reserved == large + 2 * MIB
    pools.replay(part_of(known, {}, [1, 3, 4]))
    assert pools.reserved == large + 4 * MIB


def test_that_several_equal_tensors_on_a_tape_are_judged_by_the_size_of_one():
    pools = Pools()
    pools.replay(part_of([0, 512 << 10], {1: 20}, [1, -1]))
    assert pools.reserved == 10 * MIB
