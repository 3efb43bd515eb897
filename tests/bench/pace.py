"""How slow this machine is right now, beside itself when quiet.

These machines are shared: the same loop takes up to twice its time from one second to
the next, on the processor's own clock too. A promise in seconds is therefore judged in
processor time, so that other programs' turns don't count, and after dividing by the
slowness that was measured in the same run, beside the work.
"""

from time import process_time

# The loop below, best of many rounds on the quiet two-core machine that BENCHMARKS.md
# describes.
_QUIET_S = 0.065
_TURNS = 1_000_000


def slowness() -> float:
    """Times a plain loop; how many times slower than quiet it is, at least 1."""
    began = process_time()
    total = 0
    for number in range(_TURNS):
        total += number * number % 7
    return max(1.0, (process_time() - began) / _QUIET_S)
