"""One weight with its adapter worked in, by peft's own layer.

Whatever peft knows to merge (LoRA, rank-stabilised, DoRA, ...) is merged here by the
same code, one weight at a time: it is put where it stands in the model, so that
patterns of the adapter's configuration name it, and everything else is left away. Of a
stack of experts one expert stands there alone, as a matrix: the same products, to the
bit wherever the matrices' sides are multiples of 16, as all published mixtures' are.
"""

import copy
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, inject_adapter_in_model, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import safe_open
from torch import nn
from transformers.pytorch_utils import Conv1D

from studio.engine.merging.places import Rows
from studio.engine.merging.plan import ADAPTER_WEIGHTS
from studio.engine.merging.targets import Target
from studio.engine.starting.held_layers import FourBits
from studio.engine.trained_beside import PREFIX

_NAMES = r"(.*\.)?({})$"
# Bytes of an entry at most.
_WIDEST = 8
_FIRST, _SECOND = "lora_A.weight", "lora_B.weight"
# Files take turns between the two stacks of a block.
_STACKS_KEPT = 2


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
        self._stacks: dict[Target, tuple[torch.Tensor, torch.Tensor]] = {}
        self._names = tuple(self._file.keys())  # type: ignore[no-untyped-call]  # ships no types

    def merged(
        self, target: Target, weight: torch.Tensor, rows: Rows | None = None
    ) -> torch.Tensor:
        """A weight with its adapter.

        Args:
            target: Which.
            weight: In fp32, outputs x inputs, or the other way round if transposed;
                it is used up.
            rows: What of a stack of experts it is.

        Returns:
            The same shape and format; what the base holds where there is no adapter.
        """
        if self._bits is not None and target.layer:
            weight = self._bits.held(
                target.module, weight, transposed=target.transposed
            )
        parts = self._of_rows(target, rows) if rows else self._parts_of(target)
        if not parts:
            return weight
        turned = target.transposed and not target.layer
        done = self._put_on(target, weight.T if turned else weight, parts)
        return done.T if turned else done

    def _put_on(
        self, target: Target, weight: torch.Tensor, parts: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        root = alone(target.module, _holder(target, weight))
        inject_adapter_in_model(self._config_of(target), root, low_cpu_mem_usage=True)
        ours = {f"{target.module}.{name}": part for name, part in parts.items()}
        set_peft_model_state_dict(root, ours, low_cpu_mem_usage=True)
        layer = root.get_submodule(target.module)
        assert isinstance(layer, BaseTunerLayer)
        layer.merge()
        held = getattr(layer.get_base_layer(), target.parameter)
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

    def _config_of(self, target: Target) -> PeftConfig:
        """The configuration with the patterns that name this weight alone."""
        config: Any = copy.copy(self._config)
        config.target_parameters = None
        if not target.layer:
            config.target_modules, config.target_parameters = [], [target.name]
        key = target.module if target.layer else target.name
        for kind in ("rank_pattern", "alpha_pattern"):
            patterns = getattr(config, kind, None) or {}
            setattr(config, kind, _naming(key, patterns))
        made: PeftConfig = config
        return made

    def _parts_of(self, target: Target) -> dict[str, torch.Tensor]:
        """The adapter's tensors for a weight, in fp32, by what peft calls them."""
        before = f"{PREFIX}{target.parts or target.module}."
        return {
            name.removeprefix(before): self._file.get_tensor(name).float()  # type: ignore[no-untyped-call]  # as above
            for name in self._names
            if name.startswith(f"{before}lora_")
        }

    def _of_rows(self, target: Target, rows: Rows) -> dict[str, torch.Tensor]:
        """Those of some rows of an expert."""
        if target not in self._stacks:
            if len(self._stacks) == _STACKS_KEPT:
                del self._stacks[next(iter(self._stacks))]
            self._stacks[target] = self._unstacked(target)
        first, second = self._stacks[target]
        return {
            _FIRST: first[rows.expert],
            _SECOND: second[rows.expert, rows.begin : rows.end],
        }

    def _unstacked(self, target: Target) -> tuple[torch.Tensor, torch.Tensor]:
        """Both matrices, expert by expert, as peft's `ParamWrapper` lays them out.

        Returns:
            fp32 (experts, rank, inputs) and (experts, outputs, rank).
        """
        parts = self._parts_of(target)
        first, second = parts[_FIRST], parts[_SECOND]
        experts = target.experts
        return (
            first.view(experts, -1, first.shape[-1]),
            second.view(len(second), -1, experts).permute(2, 0, 1).contiguous(),
        )


def _naming(module: str, patterns: Mapping[str, int]) -> dict[str, int]:
    """Those that name a layer, as peft's `get_pattern_key` finds them."""
    return {
        pattern: value
        for pattern, value in patterns.items()
        if re.match(_NAMES.format(pattern), module)
    }


def _holder(target: Target, weight: torch.Tensor) -> nn.Module:
    """A module that has this weight and nothing else."""
    rows, columns = weight.shape
    holder: nn.Module
    with torch.device("meta"):
        if not target.layer:
            holder = nn.Module()
        elif target.transposed:
            holder = Conv1D(columns, rows)  # type: ignore[no-untyped-call]  # has no types
        else:
            holder = nn.Linear(columns, rows, bias=False)
    setattr(holder, target.parameter, nn.Parameter(weight, requires_grad=False))
    return holder


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
