"""A weight for each direction of an adapter, between its two matrices."""

from pathlib import Path
from typing import cast

import torch
from peft import PeftModelForCausalLM
from safetensors.torch import load, save_file
from torch import nn

from studio.engine.starting.layers import PREFIX, adapted_layers

WEIGHTS = "lora_E"
"""What a layer's weights of its directions are called."""

_ADAPTER = "default"
_FILE = "adapter_model.safetensors"
# As in the authors' code and peft's (tuners/adalora/layer.py).
_SPREAD = 0.02


class Directions:
    """The directions of one adapted layer.

    Attributes:
        name: Of the layer in the base model.
    """

    def __init__(self, name: str, layer: nn.Module) -> None:
        """Know a layer.

        Args:
            name: In the base model.
            layer: Of peft's LoRA, with weights of its directions.
        """
        self.name = name
        self._layer = layer

    @property
    def first(self) -> nn.Parameter:
        """A: (directions, in)."""
        return self._layer.get_parameter(f"lora_A.{_ADAPTER}.weight")

    @property
    def weights(self) -> nn.Parameter:
        """E: (directions,), FP32."""
        return self._layer.get_parameter(f"{WEIGHTS}.{_ADAPTER}")

    @property
    def second(self) -> nn.Parameter:
        """B: (out, directions)."""
        return self._layer.get_parameter(f"lora_B.{_ADAPTER}.weight")


def add_weights(model: PeftModelForCausalLM) -> None:
    """Give every direction of a fresh adapter a weight, which is 0.

    The weights are held in FP32 whatever the adapter's format is, for in BF16 a usual
    step is rounded away as soon as they have grown; they are few.

    Args:
        model: With peft's LoRA on it, all of whose layers are linear; it is changed.
    """
    for _, layer in adapted_layers(model):
        first = layer.get_submodule(f"lora_A.{_ADAPTER}")
        matrix = first.get_parameter("weight")
        rank, device = matrix.shape[0], matrix.device
        zeros = torch.zeros(rank, dtype=torch.float32, device=device)
        weights = nn.ParameterDict({_ADAPTER: nn.Parameter(zeros)})
        layer.register_module(WEIGHTS, weights)
        first.register_forward_hook(_Weighted(weights))
        for part in (matrix, layer.get_parameter(f"lora_B.{_ADAPTER}.weight")):
            nn.init.normal_(part, std=_SPREAD)


def is_weights(name: str) -> bool:
    """Whether a parameter of that name weighs directions."""
    return f".{WEIGHTS}." in name


def directions_of(model: PeftModelForCausalLM) -> list[Directions]:
    """Of every layer that has weights of its directions."""
    return [
        Directions(name, layer)
        for name, layer in adapted_layers(model)
        if hasattr(layer, WEIGHTS)
    ]


def ranks_of(model: PeftModelForCausalLM) -> dict[str, int]:
    """How many directions each layer has that aren't taken away."""
    found = directions_of(model)
    return {each.name: int(each.weights.count_nonzero()) for each in found}


def hand_over_directions(adapter: Path, model: PeftModelForCausalLM) -> None:
    """Let a saved adapter be plain LoRA: each row of A is multiplied by its weight.

    What was taken away becomes rows and columns of zeros, so that all layers keep one
    rank, the starting one: readers divide alpha by the rank of the configuration, and
    not all know of other ranks for single layers.

    Args:
        adapter: A folder that is being filled.
        model: Whose adapter it is; where its directions have no weights, nothing is
            changed.
    """
    found = directions_of(model)
    if not found:
        return
    tensors = load((adapter / _FILE).read_bytes())
    for each in found:
        first, second = (f"{PREFIX}{each.name}.lora_{x}.weight" for x in "AB")
        weights = tensors.pop(f"{PREFIX}{each.name}.{WEIGHTS}")
        rows = tensors[first]
        tensors[first] = (rows.float() * weights[:, None]).to(rows.dtype)
        tensors[second] = tensors[second].masked_fill(weights == 0, 0).contiguous()
    save_file(tensors, adapter / _FILE, metadata={"format": "pt"})


class _Weighted:
    """Multiplies what comes out of A by the weights of the directions."""

    def __init__(self, weights: nn.ParameterDict) -> None:
        self._weights = weights

    def __call__(
        self,
        module: nn.Module,
        given: object,
        found: torch.Tensor,
    ) -> torch.Tensor:
        del module, given
        weights = cast("torch.Tensor", self._weights[_ADAPTER])
        return found * weights.to(found.dtype)
