"""What can't be asked of a method: each clash names both options and a way out."""

from typing import TYPE_CHECKING

from studio.domain.finding import Finding, error
from studio.domain.recipe_options import Precision

if TYPE_CHECKING:
    from studio.domain.recipe import Recipe


def method_clashes(recipe: "Recipe") -> list[Finding]:
    """Every pair of options, one of them the method's, that can't hold together."""
    return [
        *_weight_clashes(recipe),
        *_ratio_clashes(recipe),
        *_beside_clashes(recipe),
    ]


def _beside_clashes(recipe: "Recipe") -> list[Finding]:
    """Weights of the base itself aren't trained beside all of them."""
    if not recipe.trains_all:
        return []
    why = "Where all weights are trained, these are too."
    first, keys = _asked_by(recipe), recipe.lora.beside
    return [_clash(first, key, why, f"Set {key} to false.") for key in keys]


def _ratio_clashes(recipe: "Recipe") -> list[Finding]:
    if not recipe.trains_all or recipe.lora.plus_ratio == 1:
        return []
    return [
        _clash(
            _asked_by(recipe),
            "lora.plus_ratio",
            "Without an adapter there is no B to learn faster.",
            "Set lora.plus_ratio to 1, or train an adapter.",
        )
    ]


def _asked_by(recipe: "Recipe") -> str:
    """The option by which all weights are trained."""
    return "compat.full_training" if recipe.compat.full_training else "train.weights"


def _weight_clashes(recipe: "Recipe") -> list[Finding]:
    if not recipe.trains_all:
        return []
    key = _asked_by(recipe)
    precision = recipe.model.precision
    if precision.is_quantized:
        return [
            _clash(
                key,
                "model.precision",
                "Quantised weights have no gradients.",
                "Set model.precision to bf16 or fp32.",
            )
        ]
    if precision is Precision.FP16 and not recipe.compared():
        return [
            _clash(
                key,
                "model.precision",
                "FP16 gradients can't be scaled into FP16 weights.",
                "Set model.precision to fp32, or to bf16 with model.compute_dtype.",
            )
        ]
    return []


def _clash(first: str, second: str, why: str, fix: str) -> Finding:
    what = f"{first} and {second} can't hold together."
    return error("recipe.contradiction", what, why=why, fix=fix, where=second)
