"""Recipes that no formula stands for: the dry run alone prices them."""

from studio.domain.finding import Finding, error
from studio.domain.method_options import REFERRING_METHODS
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import STARTING_FROM_BASE, Attention, LoraVariant

_UNPRICED_VARIANTS = {LoraVariant.DORA: "DoRA", LoraVariant.ADALORA: "AdaLoRA"}


def outside_formula(recipe: Recipe) -> Finding | None:
    """Why the formula can't price this recipe; None where it can."""
    if recipe.model.attention is Attention.SHIFTED:
        return _unpriced("attention in shifted groups", "model.attention")
    if recipe.lora.variant in _UNPRICED_VARIANTS:
        return _unpriced(_UNPRICED_VARIANTS[recipe.lora.variant], "lora.variant")
    if keeps_start(recipe):
        return _unpriced("a start that answers are compared with", "lora.variant")
    beside = () if recipe.trains_all else recipe.lora.beside
    if beside and (recipe.compared() or recipe.train.method in REFERRING_METHODS):
        whose = "others train" if recipe.compared() else "is held to compare with"
        return _unpriced(f"what {whose} beside an adapter", beside[0])
    if recipe.train.label_smoothing:
        return _unpriced("label smoothing", "train.label_smoothing")
    return None


def keeps_start(recipe: Recipe) -> bool:
    """Whether an adapter's start is held beside it, as the model before training."""
    starts = recipe.lora.variant in STARTING_FROM_BASE and not recipe.trains_all
    return starts and recipe.train.method in REFERRING_METHODS


def _unpriced(what: str, where: str) -> Finding:
    return error(
        "memory.no-formula",
        f"No formula prices {what}.",
        fix="Take --basis dry-run, which goes through the same code without its "
        "memory.",
        where=where,
    )
