"""Whether a run can be gone on with, told from its journal."""

from studio.domain.best_step import waited_words
from studio.domain.errors import refusal
from studio.domain.run import RunSnapshot, RunState
from studio.storage.checkpoint_folders import all_of
from studio.storage.run_directory import CHECKPOINTS, RunDirectory
from studio.storage.run_lock import is_held, taken

CHANGED = "run.changed"
"""The engine's name for a run that would be another one."""


def can_resume(run: RunSnapshot) -> bool:
    """Whether a run that is over has something to go on from."""
    if not run.state.is_over or run.state is RunState.FINISHED:
        return False
    if run.checkpoints or run.state is RunState.PAUSED:
        return True
    # A journal whose disk was full doesn't tell of what was kept meanwhile.
    return bool(all_of(run.directory / CHECKPOINTS))


def refuse_resuming(run: RunSnapshot) -> None:
    """Refuse to go on with a run that is over or still running.

    Raises:
        StudioError: It is, or nothing was saved to go on from.
    """
    if is_held(RunDirectory(run.directory)):
        raise taken(RunDirectory(run.directory))
    if not run.state.is_over:
        raise refusal(
            "run.busy",
            f"{run.name} is still running.",
            fix="Wait for its end, or stop it first.",
        )
    if run.state is RunState.FINISHED:
        raise refusal(
            "run.finished",
            _finished_words(run),
            fix="Start another run with more "
            f"{'patience' if run.waited else 'passes'}.",
        )
    if not can_resume(run):
        raise refusal(
            "run.no-checkpoint",
            f"{run.name} has no checkpoint to go on from.",
            fix="Start a new run with its recipe; train.save_steps or "
            "train.save_minutes write checkpoints.",
        )


def _finished_words(run: RunSnapshot) -> str:
    if run.waited:
        return f"{run.name} has finished. {waited_words(run.step, run.waited)}."
    return f"{run.name} has finished: all {run.step:,} steps are done."
