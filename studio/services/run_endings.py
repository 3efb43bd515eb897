"""How a run ended: the fullest story of it, and a sentence."""

from studio.domain.best_step import ended_words
from studio.domain.errors import StudioError
from studio.domain.run import RunSnapshot, RunState
from studio.services.run_journal import empty_snapshot, fold_all, saved_words
from studio.storage.run_directory import RunDirectory


def fuller(told: RunSnapshot, directory: RunDirectory) -> RunSnapshot:
    """The story with more to it: a wire may break, and so may a journal's disk."""
    try:
        written = fold_all(empty_snapshot(directory), directory.events())
    except StudioError:
        return told
    told_more = told.state.is_over and not written.state.is_over
    return told if told_more or written.step < told.step else written


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
