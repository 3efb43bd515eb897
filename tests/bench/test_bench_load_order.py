"""What the orders of loading have in common that tests/bench/load_order.py draws."""

import random

import pytest

from studio.domain.memory.allocator import Allocation, EmptyCache, Release, TraceEvent
from studio.domain.memory.part_names import BUFFERS, LOADING, PLAIN, QUANTIZED, WARM_UP
from tests.bench.load_order import RATIOS, by_threads, cut

_WEIGHTS = 30
_PURPOSES = {0: WARM_UP, 1: PLAIN, 999: BUFFERS}
_TRACE: list[TraceEvent] = [Allocation(0, 64), Release(0), Allocation(1, 8)]
for _read in range(2, 2 + 2 * _WEIGHTS, 2):
    _PURPOSES |= {_read: LOADING, _read + 1: QUANTIZED}
    _TRACE += [Allocation(_read, 4), Allocation(_read + 1, 1), Release(_read)]
_TRACE += [Allocation(999, 2), EmptyCache(), Allocation(1000, 5), Release(1000)]


def test_that_a_trace_cut_around_its_loading_can_be_put_together_again() -> None:
    loaded = cut(_TRACE, _PURPOSES)

    assert len(loaded.weights) == 1 + _WEIGHTS
    whole = [*loaded.before, *loaded.in_order(), *loaded.after, *loaded.training]
    assert whole == _TRACE


@pytest.mark.parametrize("ratio", RATIOS)
def test_that_threads_change_the_order_of_loading_and_nothing_else(
    ratio: float,
) -> None:
    loaded = cut(_TRACE, _PURPOSES)
    in_order = list(loaded.in_order())

    drawn = list(by_threads(loaded.weights, random.Random(1), ratio))

    assert drawn != in_order
    assert sorted(map(repr, drawn)) == sorted(map(repr, in_order))
    for weight in loaded.weights:
        own = [weight.reading, *weight.quantising]
        assert [event for event in drawn if event in own] == own
    quantised = [event for event in drawn if isinstance(event, Release)]
    assert quantised == [event for event in in_order if isinstance(event, Release)]


def test_that_faster_threads_hold_more_weights_that_wait_to_be_quantised() -> None:
    loaded = cut(_TRACE, _PURPOSES)

    def most_held(ratio: float) -> int:
        held = highest = 0
        for event in by_threads(loaded.weights, random.Random(1), ratio):
            held += event.size if isinstance(event, Allocation) else -4
            highest = max(highest, held)
        return highest

    assert most_held(0.1) < most_held(1.0) < most_held(10.0)
