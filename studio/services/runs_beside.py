"""Whether another run trains on this machine just now, told before one is begun.

What a run that is still loading will hold can't be seen on the card yet, so two that
are begun in the same minute both seem to fit.
"""

import threading
import time
from collections.abc import Callable

from studio.domain.finding import Finding, warning
from studio.services.run_queue import run_in_progress

_LOOK_EVERY_S = 5.0


def runs_beside() -> tuple[Finding, ...]:
    """A warning where a run of any project trains now.

    Every run's locks are asked, a tenth of a second for some hundred runs.
    """
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


class Lately:
    """The same as of the last seconds, for a window that asks at every keystroke.

    A thread looks, so nothing waits for it; before its first answer there is none.
    """

    def __init__(self, look: Callable[[], tuple[Finding, ...]] = runs_beside) -> None:
        """Know nothing yet."""
        self._look = look
        self._found: tuple[Finding, ...] = ()
        self._due = 0.0
        self._looking = threading.Lock()

    def found(self) -> tuple[Finding, ...]:
        """The last answer; asks anew when that has grown old."""
        if time.monotonic() >= self._due and self._looking.acquire(blocking=False):
            self._due = time.monotonic() + _LOOK_EVERY_S
            threading.Thread(
                target=self._ask, name="look for runs", daemon=True
            ).start()
        return self._found

    def _ask(self) -> None:
        try:
            self._found = self._look()
        finally:
            self._looking.release()
