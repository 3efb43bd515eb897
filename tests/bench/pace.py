"""How slow this machine is right now, beside itself when quiet.

These machines are shared: the same loop takes up to twice its time from one second to
the next, on the processor's own clock too. A promise in seconds is therefore judged
after dividing by the slowness that was measured in the same run, beside the work.
"""

from time import perf_counter

# The loop below, best of many rounds on the quiet two-core machine that BENCHMARKS.md
# describes.
_QUIET_S = 0.065
_TURNS = 1_000_000


def slowness() -> float:
    """Times a plain loop; how many times slower than quiet it is, at least 1."""
    began = perf_counter()
    total = 0
    for number in range(_TURNS):
        total += number * number % 7
    return max(1.0, (perf_counter() - began) / _QUIET_S)
