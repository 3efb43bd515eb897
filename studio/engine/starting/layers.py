"""The layers of an adapted model, and the factors that each starts from."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from peft import PeftModelForCausalLM
from peft.tuners.lora.layer import LoraLayer, ParamWrapper
from torch import nn

from studio.engine.starting.low_rank import principal

PREFIX = "base_model.model."
_FIRST = "lora_A.default.weight"
_SECOND = "lora_B.default.weight"


class Factors(NamedTuple):
    """Both factors of an adapter's product, bf16, in main memory.

    Attributes:
        first: (rank, in).
        second: (out, rank).
    """

    first: torch.Tensor
    second: torch.Tensor

    def product(self, scale: float) -> torch.Tensor:
        """What they add to a layer: fp32 (out, in)."""
        return scale * (self.second.float() @ self.first.float())


def adapted_layers(model: PeftModelForCausalLM) -> list[tuple[str, nn.Module]]:
    """Every adapted layer by its name in the base model; experts are none."""
    return list(_adapted(model))


def scale_of(layer: nn.Module) -> float:
    """What an adapter's product is multiplied by."""
    assert isinstance(layer, LoraLayer)
    return float(layer.scaling["default"])


def base_of(layer: nn.Module) -> nn.Module:
    """The layer that is adapted."""
    assert isinstance(layer, LoraLayer)
    base: nn.Module = layer.get_base_layer()
    return base


def start_from(layer: nn.Module, wanted: torch.Tensor) -> Factors:
    """Let an adapter's product be the one that is next to a matrix.

    Factors are rounded to bf16, which a trainer may do at any time later: they have
    the same digits in every format that adapters are trained in.

    Args:
        layer: With a fresh adapter.
        wanted: fp32 (out, in).

    Returns:
        What the layer starts from.
    """
    first, second = _parts(layer)
    # A rank beyond the layer's own keeps its usual start there: the second is 0.
    rank = min(first.shape[0], *wanted.shape)
    left, right = principal(wanted / scale_of(layer), rank)
    with torch.no_grad():
        first[:rank] = right.to(first)
        second[:, :rank] = left.to(second)
    factors = factors_of(layer)
    put_factors(layer, factors)
    return factors


def factors_of(layer: nn.Module) -> Factors:
    """A layer's factors as they are now."""
    return Factors(*map(_in_main_memory, _parts(layer)))


def put_factors(layer: nn.Module, factors: Factors) -> None:
    """Start a layer's adapter from factors that are known.

    Raises:
        ValueError: They are of another shape.
    """
    with torch.no_grad():
        for parameter, given in zip(_parts(layer), factors, strict=True):
            if parameter.shape != given.shape:
                raise ValueError("the adapter's start is of another shape")
            parameter.copy_(given)


def _adapted(model: PeftModelForCausalLM) -> Iterator[tuple[str, nn.Module]]:
    for name, module in model.named_modules():
        if isinstance(module, LoraLayer) and not isinstance(module, ParamWrapper):
            assert isinstance(module, nn.Module)
            yield name.removeprefix(PREFIX), module


def _parts(layer: nn.Module) -> tuple[nn.Parameter, nn.Parameter]:
    return layer.get_parameter(_FIRST), layer.get_parameter(_SECOND)


def _in_main_memory(parameter: nn.Parameter) -> torch.Tensor:
    # A copy, whatever format and place the parameter has.
    return parameter.detach().to("cpu", torch.bfloat16, copy=True)
