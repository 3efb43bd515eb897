"""What a model's architecture says against a recipe, before any weight is loaded."""

from collections.abc import Iterator

from studio.domain.architecture import ModelArchitecture, config_refusal
from studio.domain.expert_findings import (
    EXPERTS_AMONG_OTHERS,
    expert_cost,
    expert_refusal,
)
from studio.domain.finding import Finding, error
from studio.domain.offloading import main_memory_findings
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import MLP_ONLY, TARGET_WORDS, Attention
from studio.services.model_shapes import architecture_of
from studio.storage.models import ModelPlace


def architecture_findings(recipe: Recipe, place: ModelPlace) -> Iterator[Finding]:
    """What the model can't do, and what it costs where that is easily missed.

    A family that the formula doesn't know is left to the engine, but for heads and
    experts that no model can have.
    """
    model = architecture_of(place)
    if model is not None:
        yield from shape_findings(recipe, model)
    elif (refused := config_refusal(place.config or {})) is not None:
        yield refused


def shape_findings(recipe: Recipe, model: ModelArchitecture) -> Iterator[Finding]:
    """The same for a model whose shape is known."""
    yield from _target_findings(recipe, model)
    yield from attention_findings(recipe, model)
    yield from _expert_findings(recipe, model)
    yield from main_memory_findings(model, recipe)


def _target_findings(recipe: Recipe, model: ModelArchitecture) -> Iterator[Finding]:
    possible = {linear.name: None for linear, _ in model.linears()}
    if MLP_ONLY in recipe.lora.targets and model.has_experts:
        yield EXPERTS_AMONG_OTHERS
    for name in recipe.lora.targets:
        if name not in {*possible, *TARGET_WORDS}:
            yield error(
                "recipe.targets",
                f"This model has no linear layer called “{name}”.",
                fix="Choose all-linear, attention-only, mlp-only, or among "
                f"{', '.join(possible)}.",
                where="lora.targets",
            )
            return


def attention_findings(recipe: Recipe, model: ModelArchitecture) -> Iterator[Finding]:
    """What stands against a recipe's attention kernel."""
    if recipe.model.attention is Attention.SDPA and not model.decoder.fused_attention:
        yield error(
            "model.no-sdpa",
            "This model’s attention caps its scores, which SDPA can’t do.",
            fix="Set model.attention to eager.",
            where="model.attention",
        )


def _expert_findings(recipe: Recipe, model: ModelArchitecture) -> Iterator[Finding]:
    for finding in (expert_cost(recipe, model), expert_refusal(recipe, model)):
        if finding is not None:
            yield finding
