"""From a trainer that is ready to a run's last word: the same for every method."""

import contextlib
from collections.abc import Iterator

from studio.domain.run import Phase
from studio.domain.waypoints import passing
from studio.engine.lifeline import SAVE_S, Interrupted
from studio.engine.pausing import keep
from studio.engine.training_run import TrainingRun
from studio.engine.training_state import Resumable
from studio.protocol.events import RunFinished, RunPaused
from studio.storage.checkpoint_folders import Found


def begin(run: TrainingRun, trainer: Resumable, found: Found | None) -> None:
    """Measure what the base can do, or take up what a checkpoint knows.

    Raises:
        StudioError: The held-out loss is no number.
        Interrupted: The engine was told to end.
    """
    with _kept(run):
        if found is None:
            run.evaluate(0)
            run.sample(0)
        else:
            run.take_up(found, trainer)
            run.catch_up(found.manifest.step, trainer)
        run.session.enter(Phase.TRAINING)


def drive(run: TrainingRun, trainer: Resumable, found: Found | None) -> None:
    """Train to the end or until told, keep what was learnt, and say the last word.

    Args:
        run: Whose trainer it is.
        trainer: Ready to train.
        found: The checkpoint that it goes on from; None to begin.

    What ends a run that can be gone on with leaves a checkpoint of the last whole step.

    Raises:
        StudioError: Numbers that broke down, or a disk that refuses.
    """
    with _kept(run):
        _drive(run, trainer, found)


@contextlib.contextmanager
def _kept(run: TrainingRun) -> Iterator[None]:
    try:
        yield
    except Exception as fault:
        keep(run, fault)
        raise


def _drive(run: TrainingRun, trainer: Resumable, found: Found | None) -> None:
    session, resumed_at = run.session, found.manifest.step if found else 0
    try:
        with session.lifeline.open():
            if not run.has_waited_enough:
                trainer.train(resume_from_checkpoint=str(found.path) if found else None)
    except Interrupted:
        session.lifeline.grant(SAVE_S)

    steps, total = trainer.state.global_step, trainer.state.max_steps
    if run.has_waited_enough:
        run.finish(steps or resumed_at, stopped=False)
        return
    stopped = steps < total
    if stopped and session.orders.pauses:
        passing("pause.begun")
        if steps:
            run.save(steps)
        passing("pause.saved")
        session.say(RunPaused(step=steps or resumed_at))
    elif steps and (session.orders.keeps_work or not stopped):
        if stopped:
            run.save(steps)  # to go on from, should the user wish to
        run.finish(steps, stopped=stopped)
    else:
        session.say(RunFinished(adapter="", steps=steps, stopped=stopped))
