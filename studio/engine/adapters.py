"""The LoRA adapter: attached to a model, in the format that the recipe names."""

from typing import cast

import torch
from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt
from peft import LoraConfig, PeftModelForCausalLM, get_peft_model
from peft.tuners.lora.layer import ParamWrapper
from transformers.pytorch_utils import Conv1D

from studio.domain.errors import StudioError, refusal
from studio.domain.expert_findings import DROPOUT_ON_EXPERTS
from studio.domain.recipe_options import ALL_LINEAR, LoraOptions, LoraVariant
from studio.engine.model_loading import Model

_LINEAR = (torch.nn.Linear, Linear4bit, Linear8bitLt, Conv1D)


def attach(model: Model, options: LoraOptions) -> PeftModelForCausalLM:
    """Freeze a model and put a fresh adapter on it.

    The adapter's first weights come from torch's global seed.

    Args:
        model: The base; it is changed.
        options: Rank, alpha, dropout and targets.

    Raises:
        StudioError: A target is no linear layer of this model, or an adapter on
            experts shall drop its inputs.
    """
    check_targets(model, options.targets)
    config = lora_config(options)
    try:
        adapted = get_peft_model(model, config, autocast_adapter_dtype=False)
    except ValueError as fault:
        if options.dropout and ParamWrapper.__name__ in str(fault):
            raise StudioError(DROPOUT_ON_EXPERTS) from fault
        raise
    return cast("PeftModelForCausalLM", adapted)


def lora_config(options: LoraOptions) -> LoraConfig:
    """The adapter as peft describes it."""
    everything = options.targets == (ALL_LINEAR,)
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=options.rank,
        lora_alpha=options.alpha,
        use_rslora=options.variant is LoraVariant.RSLORA,
        lora_dropout=options.dropout,
        target_modules=ALL_LINEAR if everything else list(options.targets),
    )


def check_targets(model: Model, targets: tuple[str, ...]) -> None:
    """Refuse targets that this model lacks.

    Raises:
        StudioError: One is unknown, or there is none; the possible ones are named.
    """
    possible = linear_names(model)
    unknown = [name for name in targets if name not in {*possible, ALL_LINEAR}]
    if unknown or not targets or (ALL_LINEAR in targets and len(targets) > 1):
        what = (
            f"This model has no linear layer called “{unknown[0]}”."
            if unknown
            else "The adapted layers are either all-linear or a list of names."
        )
        raise refusal(
            "recipe.targets",
            what,
            fix=f"Choose all-linear, or among {', '.join(possible)}.",
            where="lora.targets",
        )


def linear_names(model: Model) -> list[str]:
    """Names of the linear layers that can be adapted: all but the output head.

    The head is left out because the loss is computed from its weight directly, so
    that an adapter on it would never be trained.
    """
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    names = {
        name.rpartition(".")[2]
        for name, module in model.named_modules()
        if isinstance(module, _LINEAR) and module is not head
    }
    return sorted(names)


def set_dtype(model: PeftModelForCausalLM, dtype: torch.dtype) -> None:
    """Hold the trained weights, and so their gradients and states, in a format.

    trl casts the adapter of a quantised model to bf16 by itself; this comes after it.
    """
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(dtype)


def trained_bytes(model: PeftModelForCausalLM) -> int:
    """What the adapter's weights take."""
    trained = (p for p in model.parameters() if p.requires_grad)
    return sum(parameter.nbytes for parameter in trained)
