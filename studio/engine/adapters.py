"""The LoRA adapter: attached to a model, in the format that the recipe names."""

import gc
from typing import cast

import torch
from peft import LoraConfig, PeftModelForCausalLM, get_peft_model
from peft.tuners.lora.layer import ParamWrapper

from studio.domain.adapter_findings import DORA_ON_EXPERTS, REFUSED_ON_EXPERTS
from studio.domain.errors import StudioError
from studio.domain.expert_findings import DROPOUT_ON_EXPERTS
from studio.domain.recipe_options import LoraOptions, LoraVariant
from studio.engine.adapter_targets import targets_for
from studio.engine.adaptive_rank.directions import add_weights, is_weights
from studio.engine.model_loading import Model
from studio.engine.trained_beside import set_aside, train_beside


def attach(model: Model, options: LoraOptions) -> PeftModelForCausalLM:
    """Freeze a model, put a fresh adapter on it, and let train what goes beside it.

    The adapter's first weights come from torch's global seed.

    Args:
        model: The base; it is changed.
        options: Rank, alpha, dropout, targets, and what is trained beside them.

    Raises:
        StudioError: A target is no linear layer of this model, an adapter on experts
            shall drop its inputs or be of a kind that they can't have, or the model
            lacks what shall be trained beside it.
    """
    config = lora_config(options, targets_for(model, options.targets))
    try:
        adapted = get_peft_model(model, config, autocast_adapter_dtype=False)
    except ValueError as fault:
        if ParamWrapper.__name__ not in str(fault):
            raise
        if options.variant is LoraVariant.DORA:
            raise StudioError(DORA_ON_EXPERTS) from fault
        if options.dropout:
            raise StudioError(DROPOUT_ON_EXPERTS) from fault
        raise
    if options.variant is LoraVariant.DORA:
        # peft measures copies of 4-bit layers, which hold themselves by a cycle
        # (tuners/lora/dora.py, `update_layer`).
        gc.collect()
    made = cast("PeftModelForCausalLM", adapted)
    has_experts = any(isinstance(each, ParamWrapper) for each in adapted.modules())
    if has_experts and options.variant in REFUSED_ON_EXPERTS:
        raise StudioError(REFUSED_ON_EXPERTS[options.variant])
    if options.variant is LoraVariant.ADALORA:
        add_weights(made)
    train_beside(model, options)
    return made


def lora_config(options: LoraOptions, targets: str | list[str]) -> LoraConfig:
    """The adapter as peft describes it, on layers in peft's words."""
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=options.held_rank,
        lora_alpha=options.alpha,
        use_rslora=options.variant is LoraVariant.RSLORA,
        use_dora=options.variant is LoraVariant.DORA,
        lora_dropout=options.dropout,
        target_modules=targets,
    )


def set_dtype(model: PeftModelForCausalLM, dtype: torch.dtype) -> None:
    """Hold the trained weights, and so their gradients and states, in a format.

    trl casts the adapter of a quantised model to bf16 by itself; this comes after it.
    What is trained beside an adapter stays in FP32, and so do weights of directions.
    """
    with set_aside(model):
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                held = torch.float32 if is_weights(name) else dtype
                parameter.data = parameter.data.to(held)


def trained_bytes(model: PeftModelForCausalLM) -> int:
    """What the trained weights take."""
    trained = (p for p in model.parameters() if p.requires_grad)
    return sum(parameter.nbytes for parameter in trained)
