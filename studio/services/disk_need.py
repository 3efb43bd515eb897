"""How much disk a run will take: its adapter, its checkpoints, its merged model."""

from studio.domain.hardware import MIB
from studio.domain.memory.formula import adapter_weights
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import LoraVariant
from studio.services.model_shapes import architecture_of
from studio.storage.models import ModelPlace, ModelState

# Journal, log, tokenizer and chat template.
_REST = 32 * MIB
_FP32 = 4
_BF16 = 2


def run_bytes(recipe: Recipe, place: ModelPlace, rows: int) -> int | None:
    """What a run writes at most, with its model's conversion when that is due.

    Args:
        recipe: Of the run.
        place: Its model.
        rows: That a pass goes through, packs counting as one; 0 when unknown.

    Returns:
        Bytes; None when the model's shape is unknown.
    """
    model = architecture_of(place)
    if model is None:
        return None
    trained = adapter_weights(model, recipe) * _FP32
    # peft asks for a tied weight by each of its names.
    again = 0
    if recipe.lora.train_embeddings and model.tied and not recipe.trains_all:
        again = model.vocabulary * model.hidden * _FP32
    # A checkpoint holds the adapter, once more as it is trained, and two optimizer
    # states of each of its weights; AdaLoRA's also two means of each.
    spreads = recipe.lora.variant is LoraVariant.ADALORA and not recipe.trains_all
    times = 6 if spreads else 4
    saved = trained + again + (times * trained + again) * _checkpoints(recipe, rows)
    converted = place.state is ModelState.CONVERTIBLE
    return saved + _REST + (model.parameters * _FP32 if converted else 0)


def merge_bytes(place: ModelPlace) -> int:
    """What the merged model takes in 16 bits; 0 when the model's shape is unknown."""
    model = architecture_of(place)
    return model.parameters * _BF16 if model else 0


def _checkpoints(recipe: Recipe, rows: int) -> int:
    """At once: those that are kept, the best, and the one being written."""
    train = recipe.train
    most = train.keep_checkpoints + 2
    if train.save_minutes:
        return most
    steps = recipe.total_steps(rows) if rows or train.max_steps else 0
    every = (train.save_steps, train.eval_steps if train.keeps_best else 0)
    return min(most, sum(steps // each for each in every if each) + 2)
