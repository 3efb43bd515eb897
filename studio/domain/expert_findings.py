"""What a mixture of experts can't do or costs, in the same words everywhere."""

from studio.domain.adapter_findings import REFUSED_ON_EXPERTS
from studio.domain.architecture import ModelArchitecture
from studio.domain.finding import Finding, Severity, error
from studio.domain.hardware import gib
from studio.domain.memory.on_paper.planning import plan_of
from studio.domain.memory.on_paper.weights import base_weights, four_bit_bytes
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import ALL_LINEAR

# peft refuses it so (tuners/lora/layer.py, `ParamWrapper`).
DROPOUT_ON_EXPERTS = error(
    "recipe.dropout-on-experts",
    "An adapter on experts can’t drop its inputs.",
    why="peft adapts them through their weights, not their inputs.",
    fix="Set lora.dropout to 0, or name the layers in lora.targets.",
    where="lora.dropout",
)
# Only with all-linear does peft see that a mixture's experts are meant.
EXPERTS_AMONG_OTHERS = error(
    "recipe.targets",
    "The experts of a mixture can’t be adapted alone.",
    why="They lie in tensors of three dimensions, which peft adapts with all layers.",
    fix="Set lora.targets to all-linear, or to attention-only.",
    where="lora.targets",
)


def expert_refusal(recipe: Recipe, model: ModelArchitecture) -> Finding | None:
    """Why this recipe can't be carried out on a mixture; None for no reason."""
    adapts = ALL_LINEAR in recipe.lora.targets and not recipe.trains_all
    if model.has_experts and recipe.lora.dropout and adapts:
        return DROPOUT_ON_EXPERTS
    if model.has_experts and adapts:
        return REFUSED_ON_EXPERTS.get(recipe.lora.variant)
    return None


def expert_cost(recipe: Recipe, model: ModelArchitecture) -> Finding | None:
    """What experts cost that stay as they were loaded; None where nothing does."""
    if not (model.has_experts and recipe.model.precision.is_quantized):
        return None
    plan = plan_of(model, recipe, None)
    tensors = [
        (entries, count)
        for block, count in model.decoder.kinds
        for entries in block.expert_tensors
    ]
    held = sum(count * entries * plan.plain for entries, count in tensors)
    packed = sum(
        count * sum(four_bit_bytes(entries, double_quant=plan.double_quant))
        for entries, count in tensors
    )
    whole = base_weights(model, plan, plan.plain).total
    return Finding(
        code="model.experts-in-16-bits",
        severity=Severity.INFO,
        what=f"The experts of this model stay in {8 * plan.plain} bits: {gib(held)} of "
        f"its {gib(whole)}.",
        why="They lie in tensors of three dimensions, which bitsandbytes doesn’t "
        f"quantise; in NF4 they would take {gib(packed)}. The predicted memory counts "
        "them as they stay.",
        how_to_fix="For a smaller run, choose a model without experts.",
        where="model.precision",
    )
