"""From a folder to a model in memory, in the formats of the recipe.

The frugal way everywhere: weights go to their device once, in the format they stay in.
In particular nothing like peft's `prepare_model_for_kbit_training` runs, which copies
every weight that isn't quantised to fp32 and thereby doubles the residual stream; norms
and loss compute in fp32 by themselves.

Nothing but safetensors is read, and no code that comes with a model is run.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    PreTrainedModel,
)
from transformers.utils.import_utils import is_flash_attn_2_available

from studio.domain.errors import refusal
from studio.domain.recipe_options import Attention, ModelOptions, Precision
from studio.engine.attention_plugins import register_attention
from studio.engine.bitsandbytes_guards import compute_eagerly, keep_gradients
from studio.engine.devices import Formats
from studio.engine.experts import EXPERTS
from studio.engine.head_rows import multiply_rows_together
from studio.engine.long_context import refuse_windows, stretched
from studio.engine.model_config import read_config
from studio.engine.tokenizer_loading import unloadable

Model: TypeAlias = PreTrainedModel

# The kernels in transformers' words.
ATTENTION = {
    Attention.EAGER: "eager",
    Attention.SDPA: "sdpa",
    Attention.FLASH: "flash_attention_2",
    Attention.SHIFTED: Attention.SHIFTED.value,
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
    config = read_config(folder)
    if options.attention is Attention.SHIFTED:
        register_attention(options.attention.value)
        refuse_windows(config)
    if device.type == "cpu":
        compute_eagerly()
    model = load_weights(
        folder,
        config=stretched(config, options.stretch),
        dtype=formats.load,
        device_map={"": device},
        attn_implementation=ATTENTION[options.attention],
        experts_implementation=EXPERTS,
        quantization_config=quantization_of(options, formats),
    )
    if device.type == "cpu":
        _fit_processor(model, options.precision)
    return model


def _fit_processor(model: Model, precision: Precision) -> None:
    """Keep what libraries do on a processor away from memory and gradients."""
    multiply_rows_together(model)
    if precision.is_quantized:
        leave_file(model.parameters())
    if precision.is_four_bit:
        keep_gradients(model)


def leave_file(weights: Iterable[torch.nn.Parameter]) -> None:
    """Copy those that aren't quantised, so that none lies in the mapped file any more.

    On a processor safetensors' tensors are views of a file mapped into memory. A weight
    that needs no cast stays one, and a single one keeps every page resident that was
    read while loading: the unquantised weights beside the quantised ones.
    """
    for weight in weights:
        if weight.is_floating_point():
            weight.data = weight.data.clone()


def load_plain(folder: Path, dtype: torch.dtype | str, stretch: float = 1.0) -> Model:
    """Load a model on the processor without quantising it, for a merge.

    Args:
        folder: Holds config.json and safetensors.
        dtype: Of the weights.
        stretch: Of its positions; see `long_context`.

    Raises:
        StudioError: The folder holds no such model.
    """
    config = stretched(read_config(folder), stretch)
    return load_weights(folder, dtype=dtype, device_map={"": "cpu"}, config=config)


def load_weights(folder: Path, **options: Any) -> Model:  # noqa: ANN401 - transformers' own keywords
    """Load by transformers' keywords, safetensors only, no foreign code.

    Raises:
        StudioError: The folder holds no model that transformers knows, or not all of
            its weights.
    """
    try:
        read: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError, KeyError, SafetensorError) as fault:
        raise unloadable(folder, fault) from fault
    model: Model = read[0]
    missing = sorted(read[1]["missing_keys"])
    if missing:
        others = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise refusal(
            "model.weights-missing",
            f"The model's files lack weights, which would be made up: {missing[0]}"
            f"{others}.",
            fix="Fetch the model again, or choose one for text generation.",
            where=str(folder),
        )
    return model


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
