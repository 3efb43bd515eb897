"""What a kind of adapter can't go with: each clash names both options and a way out."""

from collections.abc import Mapping

from studio.domain.finding import Finding, error
from studio.domain.recipe_options import (
    AdapterDtype,
    LoraOptions,
    LoraVariant,
    ModelOptions,
    Precision,
)

# peft refuses it so (tuners/lora/layer.py, `ParamWrapper`).
DORA_ON_EXPERTS = error(
    "recipe.dora-on-experts",
    "DoRA can’t adapt the experts of a mixture.",
    why="peft knows it for linear layers, and experts lie in larger tensors.",
    fix="Set lora.targets to attention-only, or lora.variant to lora.",
    where="lora.variant",
)

PISSA_ON_EXPERTS = error(
    "recipe.pissa-on-experts",
    "PiSSA can’t adapt the experts of a mixture.",
    why="It splits linear layers, and experts lie in larger tensors.",
    fix="Set lora.targets to attention-only, or lora.variant to lora.",
    where="lora.variant",
)
ADALORA_ON_EXPERTS = error(
    "recipe.adalora-on-experts",
    "AdaLoRA can’t adapt the experts of a mixture.",
    why="It weighs what comes out of an adapter’s first half, and experts are adapted "
    "through their weights alone.",
    fix="Set lora.targets to attention-only, or lora.variant to lora.",
    where="lora.variant",
)
REFUSED_ON_EXPERTS: Mapping[LoraVariant, Finding] = {
    LoraVariant.DORA: DORA_ON_EXPERTS,
    LoraVariant.PISSA: PISSA_ON_EXPERTS,
    LoraVariant.ADALORA: ADALORA_ON_EXPERTS,
}
"""Why a kind of adapter can't be put on experts."""

_LOFTQ_WITHOUT_FOUR_BITS = error(
    "recipe.contradiction",
    "lora.variant and model.precision can't hold together: LoftQ needs 4-bit weights.",
    why="It starts the adapter from what 4 bits lost.",
    fix="Set model.precision to nf4, or lora.variant to lora.",
    where="model.precision",
)

_PISSA_DROPPING = error(
    "recipe.contradiction",
    "lora.variant and lora.dropout can't hold together: PiSSA drops nothing.",
    why="Its adapter holds the strongest part of each layer, which would be missing.",
    fix="Set lora.dropout to 0, or lora.variant to lora.",
    where="lora.dropout",
)


def adapter_clashes(model: ModelOptions, lora: LoraOptions) -> list[Finding]:
    """Every option that the kind of adapter can't hold together with."""
    if lora.variant is LoraVariant.LOFTQ and not model.precision.is_four_bit:
        return [_LOFTQ_WITHOUT_FOUR_BITS]
    if lora.variant is LoraVariant.PISSA and lora.dropout:
        return [_PISSA_DROPPING]
    if lora.variant is not LoraVariant.DORA:
        return []
    found: list[Finding] = []
    if model.precision is Precision.INT8:
        found.append(
            error(
                "recipe.contradiction",
                "lora.variant and model.precision can't hold together: DoRA doesn’t go "
                "with 8-bit weights.",
                why="peft loses the scales of an 8-bit layer when it unpacks it on a "
                "processor.",
                fix="Set model.precision to nf4 or bf16, or lora.variant to lora.",
                where="lora.variant",
            )
        )
    if lora.adapter_dtype is AdapterDtype.BF16:
        found.append(
            error(
                "recipe.contradiction",
                "lora.variant and lora.adapter_dtype can't hold together: DoRA learns "
                "nothing of lengths in BF16.",
                why="A step moves them by less than BF16 can tell apart, so they stand "
                "still.",
                fix="Set lora.adapter_dtype to fp32, or lora.variant to lora.",
                where="lora.adapter_dtype",
            )
        )
    return found
