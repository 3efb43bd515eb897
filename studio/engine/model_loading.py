"""From a folder to a model in memory, in the formats of the recipe.

The frugal way everywhere: weights go to their device once, in the format they stay in.
In particular nothing like peft's `prepare_model_for_kbit_training` runs, which copies
every weight that isn't quantised to fp32 and thereby doubles the residual stream; norms
and loss compute in fp32 by themselves.

Nothing but safetensors is read, and no code that comes with a model is run.
"""

from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.import_utils import is_flash_attn_2_available

from studio.domain.errors import StudioError, refusal
from studio.domain.recipe_options import Attention, ModelOptions, Precision
from studio.engine.bitsandbytes_guards import compute_eagerly, keep_gradients
from studio.engine.devices import Formats
from studio.engine.experts import EXPERTS

Model: TypeAlias = PreTrainedModel
Tokenizer: TypeAlias = PreTrainedTokenizerBase

# The kernels in transformers' words.
ATTENTION = {
    Attention.EAGER: "eager",
    Attention.SDPA: "sdpa",
    Attention.FLASH: "flash_attention_2",
}


def load_model(
    folder: Path, options: ModelOptions, formats: Formats, device: torch.device
) -> Model:
    """Load a base model for training or for answers.

    Args:
        folder: Holds config.json and safetensors.
        options: Precision, double quantisation and attention.
        formats: As decided by `devices.formats_of`.
        device: Where all of it goes.

    Raises:
        StudioError: The folder holds no such model, or the attention kernel needs
            what this machine lacks.
    """
    _check_attention(options.attention, formats, device)
    if device.type == "cpu":
        compute_eagerly()
    model = load_weights(
        folder,
        dtype=formats.load,
        device_map={"": device},
        attn_implementation=ATTENTION[options.attention],
        experts_implementation=EXPERTS,
        quantization_config=quantization_of(options, formats),
    )
    if options.precision.is_four_bit and device.type == "cpu":
        keep_gradients(model)
    return model


def load_plain(folder: Path, dtype: torch.dtype | str) -> Model:
    """Load a model on the processor without quantising it, for a merge.

    Raises:
        StudioError: The folder holds no such model.
    """
    return load_weights(folder, dtype=dtype, device_map={"": "cpu"})


def load_weights(folder: Path, **options: Any) -> Model:  # noqa: ANN401 - transformers' own keywords
    """Load by transformers' keywords, safetensors only, no foreign code.

    Raises:
        StudioError: The folder holds no model that transformers knows.
    """
    try:
        model: Model = AutoModelForCausalLM.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            **options,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as fault:
        raise unloadable(folder, fault) from fault
    return model


def load_tokenizer(folder: Path) -> Tokenizer:
    """Load a model's tokenizer with its chat template.

    Raises:
        StudioError: There is none, or it has no chat template.
    """
    try:
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(
            folder, trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError, KeyError) as fault:
        raise unloadable(folder, fault) from fault
    if not tokenizer.chat_template:
        raise refusal(
            "model.no-chat-template",
            "This model has no chat template, so it can't be taught from chats.",
            fix="Choose an instruct or chat version of it.",
            where=str(folder),
        )
    return tokenizer


def quantization_of(
    options: ModelOptions, formats: Formats
) -> BitsAndBytesConfig | None:
    """How bitsandbytes is to hold the linear layers; None for not at all."""
    if options.precision.is_four_bit:
        return BitsAndBytesConfig(  # type: ignore[no-untyped-call]  # its __init__ has no types
            load_in_4bit=True,
            bnb_4bit_quant_type=options.precision.value,
            bnb_4bit_use_double_quant=options.double_quant,
            bnb_4bit_compute_dtype=formats.compute,
        )
    if options.precision is Precision.INT8:
        return BitsAndBytesConfig(load_in_8bit=True)  # type: ignore[no-untyped-call]  # as above
    return None


def _check_attention(
    attention: Attention, formats: Formats, device: torch.device
) -> None:
    if attention is not Attention.FLASH:
        return
    if device.type == "cuda" and is_flash_attn_2_available():
        if formats.compute is not torch.float32:
            return
        what = "FlashAttention computes in 16 bits, and the recipe asks for fp32."
    else:
        what = "FlashAttention needs its own package and a recent card."
    raise refusal(
        "recipe.attention",
        what,
        fix="Set model.attention to sdpa.",
        where="model.attention",
    )


def unloadable(folder: Path, fault: Exception) -> StudioError:
    """The error for a folder that transformers makes no model of."""
    said = str(fault).strip().splitlines()
    reason = said[0].partition(". ")[0].rstrip(".") if said else type(fault).__name__
    return refusal(
        "model.not-loadable",
        f"This model can't be loaded: {reason}.",
        fix="Choose another model, or fetch this one again.",
        where=str(folder),
    )
