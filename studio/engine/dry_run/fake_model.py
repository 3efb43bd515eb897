"""The base model as the engine would load it, without its weights.

Built from config.json by transformers and its quantizer, then given tensors in the
order and the formats in which loading makes them, so that loading is recorded too.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import bitsandbytes
import torch
from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt
from transformers import AutoModelForCausalLM, PretrainedConfig
from transformers.core_model_loading import dot_natural_key
from transformers.modeling_utils import get_total_byte_count, local_torch_dtype
from transformers.quantizers.auto import AutoHfQuantizer

from studio.domain.memory.part_names import (
    BUFFERS,
    LOADING,
    PLAIN,
    QUANTIZED,
    SCALES,
    WARM_UP,
)
from studio.domain.recipe_options import Attention, ModelOptions
from studio.engine.attention_plugins import register_attention
from studio.engine.devices import Formats
from studio.engine.dry_run.recorder import Recorder
from studio.engine.experts import EXPERTS
from studio.engine.long_context import refuse_windows, stretched
from studio.engine.model_config import NONSENSE
from studio.engine.model_loading import ATTENTION, Model, quantization_of
from studio.engine.tokenizer_loading import unloadable


def make_tables() -> None:
    """Let bitsandbytes make the tables that it keeps for good, outside a fake mode."""
    bitsandbytes.functional.quantize_4bit(torch.zeros(64, 64), compress_statistics=True)


def outline(config: PretrainedConfig, options: ModelOptions, formats: Formats) -> Model:
    """The model on the meta device, its linear layers replaced by the quantizer.

    Raises:
        StudioError: transformers can't build a causal language model of it.
    """
    if options.attention is Attention.SHIFTED:
        register_attention(options.attention.value)
        refuse_windows(config)
    config = stretched(config, options.stretch)
    try:
        with torch.device("meta"):
            model: Model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
                config,
                dtype=formats.load,
                attn_implementation=_attention(options),
                experts_implementation=EXPERTS,
                trust_remote_code=False,
            )
    except (ImportError, RuntimeError, *NONSENSE) as fault:
        raise unloadable(Path(config.name_or_path or "config.json"), fault) from fault
    quantization = quantization_of(options, formats)
    if quantization is not None:
        quantizer = AutoHfQuantizer.from_config(quantization)
        with local_torch_dtype(formats.load):
            quantizer.preprocess_model(
                model=model, dtype=formats.load, device_map={"": "cpu"}
            )
        quantizer.postprocess_model(model)
        model.hf_quantizer = quantizer
    return model


def _attention(options: ModelOptions) -> str:
    """The package flash-attn isn't asked: torch has the same kernel in sdpa."""
    is_flash = options.attention is Attention.FLASH
    return ATTENTION[Attention.SDPA if is_flash else options.attention]


def materialize(
    model: Model, formats: Formats, recorder: Recorder, *, warms_up: bool
) -> None:
    """Give a model on the meta device its tensors; must run inside a fake mode.

    Args:
        model: From `outline`; it is changed.
        formats: Of the run.
        recorder: Entered already.
        warms_up: Room for all weights is made first, as transformers does on a card.
    """
    recorder.leave_out((*model.parameters(), *model.buffers()))
    if warms_up:
        _warm_up(model, recorder)
    plan = model._get_dtype_plan(formats.load)
    made: dict[int, torch.nn.Parameter] = {}
    for name, module, key, parameter in _in_loading_order(model):
        if id(parameter) not in made:
            kept = any(part in name for part in plan)
            made[id(parameter)] = _made(
                recorder, module, key, parameter, torch.float32 if kept else None
            )
        module._parameters[key] = made[id(parameter)]
    with recorder.purpose(BUFFERS):
        for module in model.modules():
            for key, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[key] = torch.empty(buffer.shape, dtype=buffer.dtype)
    model.tie_weights()


@contextmanager
def movable() -> Iterator[None]:
    """Let modules change their format although torch can't swap these tensors."""
    with patch.object(torch.nn.Module, "to", _to):
        yield


def _in_loading_order(
    model: Model,
) -> Iterator[tuple[str, torch.nn.Module, str, torch.nn.Parameter]]:
    modules = dict(model.named_modules())
    names = {name: None for name, _ in model.named_parameters(remove_duplicate=False)}
    for name in sorted(names, key=dot_natural_key):
        path, _, key = name.rpartition(".")
        parameter = modules[path]._parameters[key]
        assert parameter is not None
        yield name, modules[path], key, parameter


def _made(
    recorder: Recorder,
    module: torch.nn.Module,
    key: str,
    parameter: torch.nn.Parameter,
    dtype: torch.dtype | None,
) -> torch.nn.Parameter:
    if key == "weight" and isinstance(module, Linear4bit):
        return _four_bit(recorder, module)
    if key == "weight" and isinstance(module, Linear8bitLt):
        return _eight_bit(recorder, module)
    with recorder.purpose(PLAIN):
        tensor = torch.empty(parameter.shape, dtype=dtype or parameter.dtype)
    return torch.nn.Parameter(tensor, requires_grad=False)


def packed_anew(recorder: Recorder, module: torch.nn.Module) -> torch.nn.Parameter:
    """The weight of a quantised layer, made once more."""
    if isinstance(module, Linear4bit):
        return _four_bit(recorder, module)
    assert isinstance(module, Linear8bitLt)
    return _eight_bit(recorder, module)


def _four_bit(recorder: Recorder, module: Linear4bit) -> torch.nn.Parameter:
    """As `Params4bit._quantize` does (bitsandbytes nn/modules.py)."""
    outline: Any = module.weight
    with recorder.purpose(LOADING):
        weight = torch.empty(
            module.out_features, module.in_features, dtype=_load_dtype(module)
        )
        packed, state = bitsandbytes.functional.quantize_4bit(
            weight,
            blocksize=outline.blocksize,
            compress_statistics=outline.compress_statistics,
            quant_type=outline.quant_type,
            quant_storage=outline.quant_storage,
        )
    recorder.name(packed, QUANTIZED)
    for tensor in constants_of(state):
        recorder.name(tensor, SCALES)
    made = torch.nn.Parameter(packed, requires_grad=False)
    made.__dict__.update(outline.__dict__)
    made.__dict__.update(quant_state=state, bnb_quantized=True)
    module.quant_state = state
    # On a processor only, where it would lead to a kernel without a backward pass.
    module.support_avx512bf16_for_cpu = False
    return made


def _eight_bit(recorder: Recorder, module: Linear8bitLt) -> torch.nn.Parameter:
    """As `Int8Params._quantize` does: through fp16, one scale a row."""
    with recorder.purpose(LOADING):
        weight = torch.empty(
            module.out_features, module.in_features, dtype=torch.float16
        )
        packed, scales, _ = bitsandbytes.functional.int8_vectorwise_quant(weight)
    recorder.name(packed, QUANTIZED)
    recorder.name(scales, SCALES)
    made = torch.nn.Parameter(packed, requires_grad=False)
    made.__dict__.update(CB=packed, SCB=scales, has_fp16_weights=False)
    return made


def constants_of(state: Any) -> list[torch.Tensor]:  # noqa: ANN401 - bitsandbytes has no types
    """The tensors that a 4-bit weight needs beside itself.

    Args:
        state: bitsandbytes' ``QuantState``.
    """
    found = [state.absmax, state.code]
    if state.nested:
        found += [state.offset, state.state2.absmax, state.state2.code]
    return found


def _load_dtype(module: Linear4bit) -> torch.dtype:
    return module.compute_dtype or torch.float32


def _warm_up(model: Model, recorder: Recorder) -> None:
    """Transformers' `caching_allocator_warmup`: one large block, freed at once."""
    places = dict.fromkeys(model.state_dict(), torch.device("cuda"))
    amount = get_total_byte_count(model, places, getattr(model, "hf_quantizer", None))
    total = math.floor(sum(amount.values()))
    recorder.give_back(recorder.take(total // 2 * 2, WARM_UP))


def _to(self: torch.nn.Module, *args: Any, **kwargs: Any) -> torch.nn.Module:  # noqa: ANN401 - torch's own signature
    dtype = cast("torch.dtype | None", torch._C._nn._parse_to(*args, **kwargs)[1])
    if dtype is None:
        return self
    for module in self.modules():
        for key, parameter in module._parameters.items():
            if parameter is not None and parameter.is_floating_point():
                module._parameters[key] = torch.nn.Parameter(
                    parameter.detach().to(dtype), requires_grad=parameter.requires_grad
                )
    return self
