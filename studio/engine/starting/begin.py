"""Which start a recipe's adapter gets, when the base has just been loaded."""

from pathlib import Path

import torch
from peft import PeftModelForCausalLM

from studio.domain.recipe import Recipe
from studio.domain.recipe_options import STARTING_FROM_BASE, LoraVariant
from studio.engine.adapters import set_dtype
from studio.engine.session import Session
from studio.engine.starting.loftq import repair
from studio.engine.starting.pissa import Start, hold_as_trained, split, start_of


def begin_adapter(
    session: Session,
    model: PeftModelForCausalLM,
    folder: Path,
    recipe: Recipe,
    checkpoint: Path | None = None,
) -> Start:
    """Give a fresh adapter the start that its recipe names.

    Args:
        session: Where to report.
        model: The base with the adapter; the bare model where all weights are trained.
        folder: Of the base model.
        recipe: Of the run.
        checkpoint: That the run goes on from; None to begin it.

    Returns:
        What is to be taken off the adapter when it is handed over; mostly nothing.

    Raises:
        StudioError: The start can't be worked out from this base.
    """
    variant = recipe.lora.variant
    if recipe.trains_all or variant not in STARTING_FROM_BASE:
        return {}
    if any(p.dtype is torch.float16 for p in model.parameters() if p.requires_grad):
        # It can't hold bf16's digits; such an adapter is trained in fp32.
        set_dtype(model, torch.float32)
    if variant is LoraVariant.LOFTQ:
        repair(session, model, folder)
        return {}
    known = start_of(checkpoint) if checkpoint else None
    return split(session, model, folder, known)


def be_as_trained(model: PeftModelForCausalLM, folder: Path, recipe: Recipe) -> None:
    """Let a base with a run's adapter, both just loaded, be as they were trained.

    Args:
        model: Held in the recipe's precision; it is changed where that is needed.
        folder: Of the base model.
        recipe: Of the run.

    Raises:
        StudioError: The weights that the base was quantised from can't be found.
    """
    is_pissa = recipe.lora.variant is LoraVariant.PISSA
    if is_pissa and recipe.model.precision.is_quantized:
        hold_as_trained(model, folder)
