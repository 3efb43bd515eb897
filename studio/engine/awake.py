"""Keeps the system awake while a run trains, and says so where it can't."""

import contextlib
from collections.abc import Iterator

from studio.domain.finding import Finding, Severity
from studio.engine.session import Session
from studio.system.power import falls_asleep, kept_awake


@contextlib.contextmanager
def awake(session: Session) -> Iterator[None]:
    """Hold sleep off for the work inside."""
    with kept_awake() as granted:
        if not granted and falls_asleep():
            session.warn(
                Finding(
                    code="power.may-sleep",
                    severity=Severity.INFO,
                    what="The system wasn’t kept from going to sleep by itself.",
                    why="A machine that sleeps doesn’t train; the run goes on when it "
                    "wakes.",
                    how_to_fix="Turn automatic sleep off in the system’s settings.",
                )
            )
        yield
