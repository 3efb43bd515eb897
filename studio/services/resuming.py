"""Whether a run can be gone on with, told from its journal."""

from studio.domain.errors import refusal
from studio.domain.run import RunSnapshot, RunState


def refuse_resuming(run: RunSnapshot) -> None:
    """Refuse to go on with a run that is over or still running.

    Raises:
        StudioError: It is, or nothing was saved to go on from.
    """
    if not run.state.is_over:
        raise refusal(
            "run.busy",
            f"{run.name} is still running.",
            fix="Wait for its end, or stop it first.",
        )
    if run.state is RunState.FINISHED:
        raise refusal(
            "run.finished",
            f"{run.name} has finished: all {run.step:,} steps are done.",
            fix="Start another run with more passes.",
        )
    if not run.checkpoints and not (run.state is RunState.PAUSED and not run.step):
        raise refusal(
            "run.no-checkpoint",
            f"{run.name} has no checkpoint to go on from.",
            fix="Start a new run with its recipe; train.save_steps or "
            "train.save_minutes write checkpoints.",
        )
