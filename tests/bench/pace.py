"""How slow this machine is right now, beside itself when quiet.

These machines are shared: the same loop takes up to twice its time from one second to
the next, on the processor's own clock too. A promise in seconds is therefore judged in
processor time, so that other programs' turns don't count, and after dividing by the
slowness that was measured in the same run, beside the work.

Others slow a program in two ways: they take its core's clock, which a loop over numbers
shows, and they push its objects out of the shared caches, which only a walk over many
objects shows. The slower of the two counts.
"""

import gc
from collections.abc import Callable
from time import process_time

# The loops below on the quiet two-core machine that BENCHMARKS.md describes.
_QUIET_COUNTING_S = 0.065
_QUIET_WALKING_S = 0.145
_TURNS = 1_000_000
_OBJECTS = 150_000


def slowness() -> float:
    """Times two plain loops; how many times slower than quiet one is, at least 1."""
    counting = _seconds(_count) / _QUIET_COUNTING_S
    walking = _seconds(_walk) / _QUIET_WALKING_S
    return max(1.0, counting, walking)


def _seconds(work: Callable[[], object]) -> float:
    collects = gc.isenabled()
    gc.disable()  # its passes depend on what else lives in this process
    try:
        began = process_time()
        work()
        return process_time() - began
    finally:
        if collects:
            gc.enable()


def _count() -> int:
    total = 0
    for number in range(_TURNS):
        total += number * number % 7
    return total


def _walk() -> int:
    """Many small lists in an order that is not that of their addresses."""
    kept = [[number, number * 7919 % 65521] for number in range(_OBJECTS)]
    kept.sort(key=lambda each: each[1])
    return sum(each[0] for each in kept)
