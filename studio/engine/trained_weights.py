"""Which weights of a model are trained: those of an adapter, or all of its own."""

from typing import cast

from peft import PeftModelForCausalLM

from studio.domain.recipe import Recipe
from studio.domain.recipe_options import Precision
from studio.engine.adapters import attach
from studio.engine.model_loading import Model, leave_file
from studio.engine.trained_beside import beside_of


def made_trainable(model: Model, recipe: Recipe) -> PeftModelForCausalLM:
    """A model with the weights in it that a recipe trains.

    Args:
        model: The base; it is changed.
        recipe: Of the run.

    Returns:
        The model with a fresh adapter on it; where all weights are trained, the bare
        model.

    Raises:
        StudioError: The adapter's targets don't suit the model.
    """
    # Each page of a mapped file that is written to would be held twice.
    on_processor = next(model.parameters()).device.type == "cpu"
    if not recipe.trains_all:
        adapted = attach(model, recipe.lora)
        if on_processor and recipe.model.precision is Precision.FP32:
            leave_file(beside_of(adapted).values())
        return adapted
    if on_processor:
        leave_file(model.parameters())
    return train_all(model)


def train_all(model: Model) -> PeftModelForCausalLM:
    """Let every weight be trained; what is returned is the bare model.

    Its embeddings keep 32-bit states with an 8-bit optimizer: the trainer that makes
    the optimizer sees to that (transformers/trainer.py, `create_optimizer`).
    """
    model.requires_grad_(True)
    return cast("PeftModelForCausalLM", model)
