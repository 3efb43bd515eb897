"""Whether main memory has room for what leaves the card, asked once before training."""

import psutil

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError
from studio.domain.offloading import main_memory_bytes, short_of_main_memory
from studio.engine.training_run import TrainingRun


def warn_of_main_memory(run: TrainingRun) -> None:
    """Warn where what leaves the card won't fit into main memory.

    Nothing is said of a family whose shape isn't known.
    """
    if not run.recipe.train.offload:
        return
    try:
        model = ModelArchitecture.from_config(run.model.config.to_dict())
    except StudioError:
        return
    held = main_memory_bytes(model, run.recipe)
    finding = short_of_main_memory(held, psutil.virtual_memory().available)
    if finding is not None:
        run.session.warn(finding)
