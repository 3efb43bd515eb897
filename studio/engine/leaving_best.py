"""Leaving what measured best: its weights, and the losses that say which step it is."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from studio.domain.best_step import ranked
from studio.domain.finding import Finding, warning
from studio.engine.training_state import put_weights, read_weights
from studio.protocol.events import EngineEvent, EvalFinished, RunResumed
from studio.storage.checkpoint_folders import Found, checkpoint_name, read

if TYPE_CHECKING:
    from studio.engine.training_run import TrainingRun


def losses_told(events: Iterable[EngineEvent], step: int) -> dict[int, float]:
    """The held-out losses of a journal up to a step, those that are void left out.

    A step's checkpoint may be older than its measurement and not know of it.

    Args:
        events: Of the journal, in order.
        step: From which the run goes on.

    Returns:
        Nats a token, by step.
    """
    losses: dict[int, float] = {}
    for event in events:
        match event:
            case EvalFinished():
                losses[event.step] = event.loss
            case RunResumed(step=back):
                losses = {at: loss for at, loss in losses.items() if at <= back}
    return {at: loss for at, loss in losses.items() if at <= step}


def put_best(run: "TrainingRun", last: int) -> int:
    """Put the weights that measured best into the model, where the recipe wants that.

    Nothing can be trained on from there: weights and optimizer belong to two steps.

    Args:
        run: That has come to its end.
        last: The step whose weights are in the model.

    Returns:
        The step whose weights are in the model now: `last` where nothing was measured,
        or nothing better is whole on the disk, which is warned of.
    """
    if not run.recipe.train.keeps_best:
        return last
    for step, found in _candidates(run, last):
        if found is not None:
            run.keeper.disown()
            put_weights(run.model, read_weights(found.path))
        return step
    return last


def _candidates(run: "TrainingRun", last: int) -> Iterator[tuple[int, Found | None]]:
    """Measured steps that can be had, the best first; None for the last, at hand."""
    lost = ""
    for _, step in ranked(run.losses):
        folder = run.directory.checkpoints_path / checkpoint_name(step)
        found = None if step == last else read(folder)
        if isinstance(found, str):
            lost = lost or f"The checkpoint of step {step:,}, the best, {found}"
            continue
        if lost:
            run.session.warn(_not_the_best(lost, step))
        yield step, found
    if lost:
        run.session.warn(_not_the_best(lost, last))


def _not_the_best(lost: str, step: int) -> Finding:
    return warning(
        "checkpoint.best-lost",
        f"{lost}, so step {step:,} is saved in its place.",
        where="checkpoints",
    )
