"""From a recipe, a model and a device to the plan that a run on paper follows."""

from dataclasses import replace

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.card_habits import (
    USUAL_CAPABILITY,
    has_flash,
    has_grouped_product,
    workspace_bytes,
)
from studio.domain.memory.on_paper.extent import Extent
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.run import Habits
from studio.domain.memory.on_paper.tape import FP32
from studio.domain.method_options import REFERRING_METHODS
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import (
    ALL_LINEAR,
    Attention,
    ComputeDtype,
    Precision,
)

_WIDTHS = {"bf16": 2, "fp16": 2, "fp32": 4}


def plan_of(
    model: ModelArchitecture, recipe: Recipe, device: TrainingDevice | None
) -> Plan:
    """The formats and sizes of a training step; those of `engine/devices.py`."""
    options, train, compat = recipe.model, recipe.train, recipe.compat
    quantizes = options.precision.is_quantized
    load = options.compute_dtype.value if quantizes else options.precision.value
    adapter = load if recipe.trains_all else recipe.lora.adapter_dtype.value
    foreign = bool(recipe.compared())
    compute = options.compute_dtype.value
    autocast = compute != "fp32" and {load, adapter} != {compute}
    is_card = device is not None and device.kind == "cuda"
    capability = (device and device.compute_capability) or USUAL_CAPABILITY
    flash = is_card and has_flash(capability)
    asks = options.attention
    batch = train.answers_at_a_time
    pads = not foreign and asks is not Attention.FLASH and batch > 1
    fused = model.decoder.fused_attention
    targets = recipe.lora.targets
    plain = FP32 if compat.upcast_unquantized and quantizes else _WIDTHS[load]
    return Plan(
        extent=Extent.of(batch, train.sequence_length, model.decoder.windows),
        load=_WIDTHS[load],
        plain=plain,
        norms=FP32 if compat.upcast_norms and quantizes else plain,
        compute=_WIDTHS[compute],
        adapter=_WIDTHS[adapter],
        is_half=options.compute_dtype is ComputeDtype.FP16,
        autocast=compat.autocast if foreign else autocast,
        four_bit=options.precision.is_four_bit,
        eight_bit=options.precision is Precision.INT8,
        double_quant=options.double_quant,
        rank=0 if recipe.trains_all else recipe.lora.held_rank,
        targets=frozenset() if ALL_LINEAR in targets else frozenset(targets),
        dropout=recipe.lora.dropout > 0,
        drops=train.method not in REFERRING_METHODS,
        attention=asks if fused else Attention.EAGER,
        masks=pads and (flash or not is_card),
        packs=False,
        flash=flash,
        groups=not is_card or has_grouped_product(capability),
        card=is_card,
        expands_keys=foreign,
        trains_base=recipe.trains_all,
        norms_beside=recipe.lora.train_norms and not recipe.trains_all,
        embeddings_beside=recipe.lora.train_embeddings and not recipe.trains_all,
        adds=train.accumulation > 1,
        noise=False,
    )


def of_training(plan: Plan, recipe: Recipe) -> Plan:
    """The plan of a training step: noise, and packed rows, which are measured apart.

    Their masks keep texts apart; the package flash-attn is told where they begin.
    """
    plan = replace(plan, noise=recipe.train.neftune > 0)
    if not recipe.train.packing or habits_of(recipe, on_card=plan.card).full_logits:
        return plan
    needs_mask = recipe.model.attention is not Attention.FLASH
    return replace(plan, packs=True, masks=needs_mask)


def habits_of(recipe: Recipe, *, on_card: bool) -> Habits:
    """How the loop goes: the engine's own, or another program's."""
    compat = recipe.compat
    return Habits(
        checkpoints=recipe.train.checkpointing,
        offloads=recipe.train.offload and on_card,
        full_logits=compat.full_logits or compat.shifted_logits_copy,
        shifts=compat.shifted_logits_copy,
        upcasts=compat.early_logits_upcast,
        keeps_outputs=compat.keeps_outputs,
        refers=recipe.train.method in REFERRING_METHODS,
    )


def workspace_of(device: TrainingDevice) -> int:
    """Of one cuBLAS handle; none on a processor."""
    if device.kind != "cuda":
        return 0
    return workspace_bytes(device.compute_capability or USUAL_CAPABILITY)
