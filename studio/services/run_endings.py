"""How a run ended: the fullest story of it, and a sentence."""

from studio.domain.best_step import ended_words
from studio.domain.errors import StudioError
from studio.domain.run import RunSnapshot, RunState
from studio.services.cancelled import cancelled, mark_cancelled
from studio.services.machine_record import with_machine
from studio.services.process_outcome import CANCELLED, ProcessOutcome
from studio.services.run_journal import (
    empty_snapshot,
    fold_all,
    lost,
    saved_words,
)
from studio.storage.run_directory import RunDirectory


def fuller(told: RunSnapshot, directory: RunDirectory) -> RunSnapshot:
    """The story with more to it: a wire may break, and so may a journal's disk."""
    try:
        written = fold_all(empty_snapshot(directory), directory.events())
    except StudioError:
        return told
    told_more = told.state.is_over and not written.state.is_over
    return told if told_more or written.step < told.step else written


def told_at_end(
    told: RunSnapshot, directory: RunDirectory, outcome: ProcessOutcome
) -> RunSnapshot:
    """The story of an own run whose process has ended.

    Args:
        told: What its engine said on the wire, which may have lost some of it.
        directory: Whose journal may hold more.
        outcome: How the process ended.
    """
    told = fuller(told, directory)
    failure = outcome.finding()
    if failure is not None and failure.code == CANCELLED:
        mark_cancelled(directory, told.engine)
    else:
        failure = cancelled(told, saved_words(told)) or failure
    if not told.state.is_over and failure is not None:
        told = lost(told, failure)
    return with_machine(told, directory)


def ending_of(snapshot: RunSnapshot) -> str:
    """How a run that was only read about ended, as a sentence."""
    match snapshot.state:
        case RunState.FINISHED:
            return ended_words(snapshot.step, snapshot.waited, snapshot.saved_step)
        case RunState.PAUSED if snapshot.failure is None:
            return f"Paused behind step {snapshot.step:,}."
        case RunState.STOPPED:
            return f"Stopped after step {snapshot.step:,}."
        case _ if snapshot.failure is not None:
            return snapshot.failure.what
        case _:
            return f"The run ended. {saved_words(snapshot)}"
