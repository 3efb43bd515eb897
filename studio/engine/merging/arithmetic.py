"""One weight with its adapter worked in, by peft's own layer.

Whatever peft knows to merge (LoRA, rank-stabilised, DoRA, ...) is merged here by the
same code, one layer at a time: the layer is put where it stands in the model, so that
patterns of the adapter's configuration name it, and everything else is left away.
"""

import copy
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from peft import PeftConfig, inject_adapter_in_model, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import safe_open
from torch import nn
from transformers.pytorch_utils import Conv1D

from studio.engine.merging.plan import ADAPTER_WEIGHTS
from studio.engine.starting.held_layers import FourBits
from studio.engine.trained_beside import PREFIX

_NAMES = r"(.*\.)?({})$"
# Bytes of an entry at most.
_WIDEST = 8


class AdapterParts:
    """A saved adapter, of which one layer at a time is read."""

    def __init__(self, folder: Path, bits: FourBits | None = None) -> None:
        """Open it.

        Args:
            folder: Holds configuration and weights.
            bits: Where the adapter belongs on what 4 bits stand for; None where it
                belongs on the weights themselves.
        """
        self._bits = bits
        self._config = copy.copy(PeftConfig.from_pretrained(str(folder)))
        self._config.inference_mode = True
        # What the layer begins with is replaced at once.
        self._config.init_lora_weights = False
        # What takes a place is no business of the layer's.
        self._config.modules_to_save = None
        self._config.ensure_weight_tying = False
        self._file = safe_open(folder / ADAPTER_WEIGHTS, framework="pt")
        self._names = tuple(self._file.keys())  # type: ignore[no-untyped-call]  # ships no types

    def merged(
        self, module: str, weight: torch.Tensor, *, transposed: bool
    ) -> torch.Tensor:
        """A layer's weight with its adapter.

        Args:
            module: The layer's name in the model.
            weight: In fp32, outputs x inputs, or the other way round if transposed;
                it is used up.
            transposed: Of GPT-2's kind.

        Returns:
            The same shape and format; what the base holds where there is no adapter.
        """
        if self._bits is not None:
            weight = self._bits.held(module, weight, transposed=transposed)
        parts = self._parts_of(module)
        if not parts:
            return weight
        root = alone(module, _layer(weight, transposed=transposed))
        inject_adapter_in_model(self._config_of(module), root, low_cpu_mem_usage=True)
        set_peft_model_state_dict(root, parts, low_cpu_mem_usage=True)
        layer = root.get_submodule(module)
        assert isinstance(layer, BaseTunerLayer)
        layer.merge()
        held = layer.get_base_layer().weight
        assert isinstance(held, nn.Parameter)
        return held.data

    def rows(self, name: str, most: int) -> Iterator[torch.Tensor]:
        """A tensor that takes the place of one of the base's, part by part.

        Args:
            name: In the adapter's file.
            most: Bytes of a part, where one row has no more.
        """
        whole = self._file.get_slice(name)  # type: ignore[no-untyped-call]  # as above
        count, *others = whole.get_shape()
        step = max(1, most // (_WIDEST * math.prod(others)))
        for start in range(0, count, step):
            yield whole[start : start + step]

    def _config_of(self, module: str) -> PeftConfig:
        """The configuration with the patterns that name this layer alone."""
        config: PeftConfig = copy.copy(self._config)
        for kind in ("rank_pattern", "alpha_pattern"):
            patterns = getattr(config, kind, None) or {}
            setattr(config, kind, _naming(module, patterns))
        return config

    def _parts_of(self, module: str) -> dict[str, torch.Tensor]:
        ours = f"{PREFIX}{module}.lora_"
        return {
            name.removeprefix(PREFIX): self._file.get_tensor(name).float()  # type: ignore[no-untyped-call]  # as above
            for name in self._names
            if name.startswith(ours)
        }


def _naming(module: str, patterns: Mapping[str, int]) -> dict[str, int]:
    """Those that name a layer, as peft's `get_pattern_key` finds them."""
    return {
        pattern: value
        for pattern, value in patterns.items()
        if re.match(_NAMES.format(pattern), module)
    }


def _layer(weight: torch.Tensor, *, transposed: bool) -> nn.Module:
    rows, columns = weight.shape
    layer: nn.Module
    with torch.device("meta"):
        if transposed:
            layer = Conv1D(columns, rows)  # type: ignore[no-untyped-call]  # has no types
        else:
            layer = nn.Linear(columns, rows, bias=False)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer


def alone(module: str, layer: nn.Module) -> nn.Module:
    """A model that has nothing but this layer, under its own name.

    Args:
        module: The layer's name, such as ``model.layers.0.mlp.up_proj``.
        layer: It.
    """
    *path, name = module.split(".")
    root = holder = nn.Module()
    for each in path:
        inner = nn.Module()
        holder.add_module(each, inner)
        holder = inner
    holder.add_module(name, layer)
    return root
