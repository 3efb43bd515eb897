"""Checkpoints: whole folders in RUN/checkpoints, named for their step.

A checkpoint holds the adapter as it was at that step, in the same form as the final
one, so that it can be merged or asked; beside it what `training_state` needs to go on
from there, and a manifest. Where all weights are trained they are in that state alone,
so that none is written twice. Only this module knows what a checkpoint consists of.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from studio.domain.best_step import best_step
from studio.domain.waypoints import passing
from studio.engine.adapter_files import adapter_bytes, save_adapter
from studio.engine.handing_over import hand_over
from studio.engine.staging import need_space, whole_folder
from studio.engine.starting.pissa import start_bytes
from studio.protocol.events import CheckpointRemoved, CheckpointSaved
from studio.storage.checkpoint_folders import (
    UNKNOWN,
    Found,
    checkpoint_name,
    read,
    rotate,
    seal,
)

if TYPE_CHECKING:
    from studio.engine.training_run import TrainingRun


def save_checkpoint(run: "TrainingRun", step: int) -> None:
    """Write the checkpoint of a step, unless a whole one exists, and report it.

    Those that are more than the recipe keeps are removed, the best left out.

    Raises:
        StudioError: The disk is full or may not be written; earlier ones stay.
    """
    parent = run.directory.checkpoints_path
    target = parent / checkpoint_name(step)
    if isinstance(read(target), Found):
        return
    fingerprint = run.fingerprint or UNKNOWN

    def state_and_seal(draft: Path) -> None:
        hand_over(draft, run)
        state = run.keeper.write(draft)
        passing("save.state")
        seal(draft, step, fingerprint, state)
        passing("save.manifest")

    whole = run.recipe.trains_all
    needed = run.keeper.size_bytes() + start_bytes(run.start)
    needed += 0 if whole else adapter_bytes(run.model)
    need_space(parent, needed, "The checkpoint")
    if whole:
        with whole_folder(target, replace=target.exists()) as draft:
            state_and_seal(draft)
    else:
        save_adapter(
            run.model,
            run.tokenizer,
            run.facts(step),
            target,
            beside=state_and_seal,
            replace=target.exists(),
        )
    path = target.relative_to(run.directory.path).as_posix()
    run.session.say(CheckpointSaved(step=step, path=path))
    passing("rotate.begun")
    best = (best_step(run.losses),)
    for gone in rotate(parent, run.recipe.train.keep_checkpoints, best):
        run.session.say(CheckpointRemoved(step=gone))
