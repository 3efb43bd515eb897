"""What a base's layers stand for as they are held, and how they are given others.

Quantised layers are unpacked and packed by bitsandbytes with the settings that they
were loaded by.
"""

from typing import Any

import bitsandbytes
import torch
from bitsandbytes import functional
from bitsandbytes.nn.modules import Int8Params, Linear4bit, Linear8bitLt, Params4bit
from torch import nn
from transformers import PretrainedConfig
from transformers.pytorch_utils import Conv1D

from studio.domain.recipe_options import ModelOptions
from studio.engine.base_files import BaseTensors
from studio.engine.devices import DTYPES, Formats
from studio.engine.dry_run.fake_model import outline

CPU = torch.device("cpu")
# No format is as far off as that from the weights that it was made from.
_FARTHEST = 0.5


class FourBits:
    """What 4-bit layers stand for, without the model: of one weight after another."""

    def __init__(self, config: PretrainedConfig, options: ModelOptions) -> None:
        """Find out which layers are held in 4 bits.

        Args:
            config: Of the base.
            options: That it is loaded by.
        """
        self._dtype = DTYPES[options.compute_dtype]
        self._kind = options.precision.value
        self._nests = options.double_quant
        formats = Formats(self._dtype, self._dtype, self._dtype, autocast=False)
        self._layers = frozenset(
            name
            for name, module in outline(config, options, formats).named_modules()
            if isinstance(module, Linear4bit)
        )

    @property
    def layers(self) -> frozenset[str]:
        """Names of the layers that are held in 4 bits."""
        return self._layers

    @property
    def in_words(self) -> str:
        """All that decides what they stand for."""
        nested = "nested" if self._nests else "single"
        return f"{self._kind} {nested} {self._dtype} {bitsandbytes.__version__}"

    def held(
        self, module: str, weight: torch.Tensor, *, transposed: bool = False
    ) -> torch.Tensor:
        """What a layer computes with.

        Args:
            module: Its name in the model.
            weight: Unquantised, fp32, outputs x inputs, or the other way round if
                transposed.
            transposed: Of GPT-2's kind.

        Returns:
            The same shape; the weight itself where the layer isn't held in 4 bits.
        """
        if module not in self._layers:
            return weight
        upright = weight.T if transposed else weight
        packed, state = functional.quantize_4bit(
            upright.to(self._dtype).contiguous(),
            compress_statistics=self._nests,
            quant_type=self._kind,
        )
        unpacked = functional.dequantize_4bit(packed, state).float()
        return unpacked.T.contiguous() if transposed else unpacked


def is_quantised(layer: nn.Module) -> bool:
    """Whether bitsandbytes holds a layer."""
    return isinstance(layer, Linear4bit | Linear8bitLt)


def held_by(layer: nn.Module) -> torch.Tensor:
    """What a layer stands for: fp32 (out, in) in main memory."""
    weight: Any = layer.weight
    if isinstance(layer, Linear4bit):
        unpacked = functional.dequantize_4bit(weight.data, weight.quant_state)
    elif isinstance(layer, Linear8bitLt):
        unpacked = functional.int8_vectorwise_dequant(
            weight.data.to(CPU), weight.SCB.to(CPU)
        )
    else:
        unpacked = weight.data.T if isinstance(layer, Conv1D) else weight.data
    return unpacked.detach().to(CPU, torch.float32)


def original_of(
    name: str, layer: nn.Module, tensors: BaseTensors
) -> torch.Tensor | None:
    """The weights that a layer was made from.

    Args:
        name: Of the layer in the base model.
        layer: As it is held.
        tensors: Of the base model's files.

    Returns:
        fp32 (out, in) in main memory; None where they can't be found.
    """
    held = held_by(layer)
    if not is_quantised(layer):
        return held.clone()
    found = tensors.read(f"{name}.weight")
    if found is None:
        return None
    found = found.float()
    if getattr(layer, "source_cls", None) is Conv1D:
        found = found.T.contiguous()
    if found.shape != held.shape:
        return None
    return found if (found - held).norm() <= _FARTHEST * found.norm() else None


def hold(layer: nn.Module, weight: torch.Tensor) -> None:
    """Give a layer other weights, held as its own were.

    A card holds one more packed layer meanwhile, and it unpacked if it is quantised.

    Args:
        layer: Of a loaded model that has computed nothing yet; it is changed.
        weight: fp32 (out, in) in main memory.
    """
    old: Any = layer.weight
    if isinstance(layer, Linear4bit):
        settings = {key: old.__dict__[key] for key in _SETTINGS}
        fresh: Any = Params4bit(
            weight.to(old.quant_state.dtype), requires_grad=False, **settings
        )
        layer.weight = fresh.to(old.device)
    elif isinstance(layer, Linear8bitLt):
        rounded: Any = Int8Params(weight, requires_grad=False)
        layer.weight = rounded.to(old.device)
    else:
        upright = weight.T.contiguous() if isinstance(layer, Conv1D) else weight
        if old.device == CPU:
            # Each page of a mapped file that is written to would be held twice.
            old.data = upright.to(old.dtype)
        else:
            old.data.copy_(upright)


_SETTINGS = (
    "blocksize",
    "compress_statistics",
    "quant_type",
    "quant_storage",
    "module",
)
