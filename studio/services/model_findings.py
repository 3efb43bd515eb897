"""What a model's architecture says against a recipe, before any weight is loaded."""

from collections.abc import Iterator

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError
from studio.domain.finding import Finding, Severity, error
from studio.domain.hardware import gib
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import ALL_LINEAR, Attention
from studio.storage.models import ModelPlace

_BYTES = 2  # of a weight in 16 bits


def architecture_findings(recipe: Recipe, place: ModelPlace) -> Iterator[Finding]:
    """What the model can't do, and what it costs where that is easily missed.

    A family that the formula doesn't know is left to the engine.
    """
    if place.config is None:
        return
    try:
        model = ModelArchitecture.from_config(place.config)
    except StudioError:
        return
    yield from _target_findings(recipe, model)
    yield from _attention_findings(recipe, model)
    yield from _expert_findings(recipe, model)


def _target_findings(recipe: Recipe, model: ModelArchitecture) -> Iterator[Finding]:
    possible = {linear.name: None for linear, _ in model.linears()}
    for name in recipe.lora.targets:
        if name not in {*possible, ALL_LINEAR}:
            yield error(
                "recipe.targets",
                f"This model has no linear layer called “{name}”.",
                fix=f"Choose all-linear, or among {', '.join(possible)}.",
                where="lora.targets",
            )
            return


def _attention_findings(recipe: Recipe, model: ModelArchitecture) -> Iterator[Finding]:
    if recipe.model.attention is Attention.SDPA and not model.decoder.fused_attention:
        yield error(
            "model.no-sdpa",
            "This model’s attention caps its scores, which SDPA can’t do.",
            fix="Set model.attention to eager.",
            where="model.attention",
        )


def _expert_findings(recipe: Recipe, model: ModelArchitecture) -> Iterator[Finding]:
    weights = sum(
        count * sum(block.expert_tensors) for block, count in model.decoder.kinds
    )
    if not weights:
        return
    if recipe.model.precision.is_quantized:
        yield Finding(
            code="model.experts-in-16-bits",
            severity=Severity.INFO,
            what=f"The experts of this model stay in 16 bits: {gib(weights * _BYTES)}.",
            why="They lie in tensors of three dimensions, which bitsandbytes doesn’t "
            "quantise. The predicted memory counts them so.",
            how_to_fix="For a smaller run, choose a model without experts.",
            where="model.precision",
        )
    if recipe.lora.dropout and ALL_LINEAR in recipe.lora.targets:
        yield error(
            "recipe.dropout-on-experts",
            "An adapter on experts can’t drop its inputs.",
            why="peft adapts them through their weights, not their inputs.",
            fix="Set lora.dropout to 0, or name the layers in lora.targets.",
            where="lora.dropout",
        )
