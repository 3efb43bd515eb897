"""Looks while a run trains whether the machine may go down by itself.

The engine does it, so that a run of the command line and one that nobody watches are
looked after as well. A thread of its own reads, because a battery's firmware may take
its time; the training loop takes what was found between two steps, warns, and writes a
checkpoint where the run keeps any.
"""

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import Final

from studio.domain.finding import Finding
from studio.engine.session import Session
from studio.system.outages import threats_now

_EVERY_S: Final = 60.0
# How long a run waits for the first answer, and for the thread at its end.
_PATIENCE_S: Final = 2.0


@contextlib.contextmanager
def outages_watched(session: Session, *, tells_first: bool) -> Iterator[None]:
    """Look once a minute for the work inside, and leave what is worse to its steps.

    Args:
        session: Whose `outages` take the findings.
        tells_first: Warn at once of what threatens already, as is done before a start;
            a run that is gone on with may have lain for days.
    """
    watch = _Watch(session)
    thread = threading.Thread(target=watch.run, name="outage watch", daemon=True)
    thread.start()
    try:
        for finding in watch.first() if tells_first else ():
            session.warn(finding)
        yield
    finally:
        watch.is_over.set()
        thread.join(_PATIENCE_S)


class _Watch:
    """Knows what was told, so that each change for the worse is told once."""

    def __init__(self, session: Session) -> None:
        self.is_over = threading.Event()
        self._outages = session.outages
        self._first: queue.SimpleQueue[tuple[Finding, ...]] = queue.SimpleQueue()
        self._known: set[str] = set()

    def run(self) -> None:
        """Look until it is over."""
        self._first.put(self._look())
        while not self.is_over.wait(_EVERY_S):
            for finding in self._look():
                self._outages.put(finding)

    def first(self) -> tuple[Finding, ...]:
        """What the first look found; nothing where that takes too long."""
        with contextlib.suppress(queue.Empty):
            return self._first.get(timeout=_PATIENCE_S)
        return ()

    def _look(self) -> tuple[Finding, ...]:
        """What is worse than at any look before."""
        try:
            found = threats_now()
        except Exception:  # noqa: BLE001 - whatever a system answers, the run goes on
            return ()
        new = {name: each for name, each in found.items() if name not in self._known}
        self._known.update(new)
        return tuple(dict.fromkeys(new.values()))
