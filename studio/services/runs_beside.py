"""Whether another run trains on this machine just now, told before one is begun.

What a run that is still loading will hold can't be seen on the card yet, so two that
are begun in the same minute both seem to fit.
"""

import time
from functools import lru_cache

from studio.domain.finding import Finding, warning
from studio.services.run_queue import run_in_progress

_LOOK_EVERY_S = 5.0


def runs_beside() -> tuple[Finding, ...]:
    """A warning where a run of any project trains, as of the last seconds."""
    return _runs(int(time.monotonic() // _LOOK_EVERY_S))


@lru_cache(maxsize=1)  # a window asks at every keystroke
def _runs(moment: int) -> tuple[Finding, ...]:
    del moment
    run = run_in_progress()
    if run is None:
        return ()
    return (
        warning(
            "run.beside",
            f"{run.name} trains on this machine just now.",
            why="Two at once share its memory and its time, and one that is still "
            "loading doesn’t hold yet what it will need.",
            fix="Add this run to the queue, or wait until the other has ended.",
            where=str(run.path),
        ),
    )
