"""A run that was ended by force on purpose: written down, and in words."""

from contextlib import suppress

from studio.domain.errors import StudioError
from studio.domain.finding import Finding, warning
from studio.domain.run import EngineIdentity, RunSnapshot
from studio.protocol.commands import Cancel
from studio.services.process_outcome import CANCELLED
from studio.storage.run_directory import RunDirectory


def cancelled(run: RunSnapshot, kept: str) -> Finding | None:
    """What to say of a run that ended without a word, if somebody wanted it so.

    Args:
        run: Whose engine is gone.
        kept: What is left of it, as a sentence.
    """
    if run.engine is None:
        return None
    if not RunDirectory(run.directory).post_box.cancels(run.engine):
        return None
    return warning(CANCELLED, f"Cancelled. {kept}", where=run.name)


def mark_cancelled(run: RunDirectory, engine: EngineIdentity | None) -> None:
    """Write down that an engine is ended by force on purpose.

    Whoever reads the run later, in this program or another, is not told that the
    system may have killed it. A disk that refuses hinders no end.
    """
    if engine is None or run.post_box.cancels(engine):
        return
    with suppress(StudioError):
        run.post_box.post(Cancel(pid=engine.pid, started_at=engine.started_at))
