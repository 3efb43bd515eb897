"""A run that was ended by force on purpose, in words."""

from studio.domain.finding import Finding, warning
from studio.domain.run import RunSnapshot
from studio.storage.run_directory import RunDirectory

CANCELLED = "run.cancelled"


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
