"""Which start a recipe's adapter gets, when the base has just been loaded."""

from pathlib import Path

from peft import PeftModelForCausalLM

from studio.domain.recipe import Recipe
from studio.domain.recipe_options import LoraVariant
from studio.engine.session import Session
from studio.engine.starting.loftq import repair


def begin_adapter(
    session: Session, model: PeftModelForCausalLM, folder: Path, recipe: Recipe
) -> None:
    """Give a fresh adapter the start that its recipe names.

    Args:
        session: Where to report.
        model: The base with the adapter; the bare model where all weights are trained.
        folder: Of the base model.
        recipe: Of the run.

    Raises:
        StudioError: The start can't be worked out from this base.
    """
    if recipe.trains_all:
        return
    if recipe.lora.variant is LoraVariant.LOFTQ:
        repair(session, model, folder)
