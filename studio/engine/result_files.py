"""What a run leaves: an adapter, or the whole model where all weights were trained."""

from pathlib import Path
from typing import TYPE_CHECKING

from studio.domain.waypoints import passing
from studio.engine.adapter_files import save_adapter, write_card
from studio.engine.adapters import trained_bytes
from studio.engine.model_card import model_card
from studio.engine.progress_bars import reported
from studio.engine.staging import need_space, whole_folder

if TYPE_CHECKING:
    from studio.engine.training_run import TrainingRun

# Tokenizer, configuration and card.
_REST_BYTES = 32 << 20


def save_result(run: "TrainingRun", steps: int, target: Path) -> None:
    """Write what was trained so far, whole or not at all, over what lies there.

    Args:
        run: Whose it is.
        steps: That were done.
        target: The folder to make: of an adapter or of a model.

    Raises:
        StudioError: The disk is full or may not be written.
    """
    facts = run.facts(steps)
    if not run.recipe.trains_all:
        save_adapter(run.model, run.tokenizer, facts, target, replace=True)
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
