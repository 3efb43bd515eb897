"""What a run leaves: an adapter, or the whole model where all weights were trained."""

from pathlib import Path
from typing import TYPE_CHECKING

from studio.domain.waypoints import passing
from studio.engine.adapter_files import save_adapter, write_card
from studio.engine.adapters import trained_bytes
from studio.engine.handing_over import hand_over
from studio.engine.model_card import Facts, model_card
from studio.engine.progress_bars import reported
from studio.engine.staging import need_space, whole_folder
from studio.engine.starting.pissa import start_bytes

if TYPE_CHECKING:
    from studio.engine.training_run import TrainingRun

# Tokenizer, configuration and card.
_REST_BYTES = 32 << 20


def save_result(run: "TrainingRun", facts: Facts, target: Path) -> None:
    """Write the weights at hand, whole or not at all, over what lies there.

    Args:
        run: Whose it is.
        facts: For its card.
        target: The folder to make: of an adapter or of a model.

    Raises:
        StudioError: The disk is full or may not be written.
    """
    if not run.recipe.trains_all:
        needed = trained_bytes(run.model) + start_bytes(run.start) + _REST_BYTES
        need_space(target.parent, needed, "The adapter")
        save_adapter(
            run.model,
            run.tokenizer,
            facts,
            target,
            beside=lambda draft: hand_over(draft, run),
            replace=True,
        )
        return
    needed = trained_bytes(run.model) + _REST_BYTES
    need_space(target.parent, needed, "The trained model")
    with whole_folder(target, replace=True) as draft:
        with reported(run.session, "Writing the weights", "files"):
            run.model.save_pretrained(str(draft))
        passing("save.weights")
        run.tokenizer.save_pretrained(draft)
        passing("save.tokenizer")
        write_card(draft, model_card(facts))
        passing("save.card")
