"""One layer of several adapters as one, by peft's own code.

The layer stands alone under its own name, with a weight of one number that is spread
over its shape: adapters are combined without their base. Each adapter is put on it with
its own scale. What peft's configuration of the result says of scale is not heeded: it
takes rank-stabilised scaling from the first adapter, and with it a factor that nobody
asked for (0.21, `add_weighted_adapter`).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from peft import LoraConfig, set_peft_model_state_dict
from peft.tuners.lora import LoraLayer, LoraModel
from torch import nn

from studio.domain.combining import Combination, Way
from studio.engine.merging.arithmetic import alone

_SUM = "sum"


@dataclass(frozen=True, slots=True)
class Factors:
    """An adapter's product for one layer.

    Attributes:
        a: Rank x inputs, in FP32.
        b: Outputs x rank, in FP32.
        alpha: See `studio.engine.combining.parts.Layer`.
        is_stabilised: Whether the product is divided by the rank's root (rsLoRA).
        weight: By which the adapter counts.
    """

    a: torch.Tensor
    b: torch.Tensor
    alpha: float = 0.0
    is_stabilised: bool = False
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Combined:
    """What came of one layer.

    Attributes:
        a: Rank x inputs, in FP32.
        b: Outputs x rank, in FP32; the product is not scaled.
        off: The squared Frobenius norm of its difference from the weighted sum.
        size: That of the weighted sum.
    """

    a: torch.Tensor
    b: torch.Tensor
    off: float
    size: float


def combine_layer(
    module: str, adapters: Sequence[Factors], combination: Combination
) -> Combined:
    """Combine what adapters have of a layer.

    Args:
        module: The layer's name.
        adapters: Those that have something of it.
        combination: By which; its weights lie in the factors.

    Returns:
        Factors of a rank that the way decides.
    """
    names = [str(number) for number in range(len(adapters))]
    root, tuner = _worn(module, adapters, names)
    with warnings.catch_warnings():
        # Of a density of 1 peft says that nothing is dropped.
        warnings.filterwarnings("ignore", message="The density")
        tuner.add_weighted_adapter(
            names,
            [each.weight for each in adapters],
            _SUM,
            combination_type=combination.way.value,
            svd_rank=_rank(adapters, combination),
            svd_full_matrices=False,
            density=combination.density,
        )
    layer = root.get_submodule(module)
    assert isinstance(layer, LoraLayer)
    a = root.get_parameter(f"{module}.lora_A.{_SUM}.weight").detach()
    b = root.get_parameter(f"{module}.lora_B.{_SUM}.weight").detach()
    scaled = [
        (each.a, each.b * (each.weight * layer.scaling[name]))
        for name, each in zip(names, adapters, strict=True)
    ]
    off = _square([(a, b), *((rows, -columns) for rows, columns in scaled)])
    return Combined(a, b, off, _square(scaled))


def _rank(adapters: Sequence[Factors], combination: Combination) -> int | None:
    """Of a result that is cut; a layer can have none above its own sides."""
    if not combination.way.decomposes:
        return None
    rank = combination.rank or max(len(each.a) for each in adapters)
    return min(rank, adapters[0].a.shape[1], len(adapters[0].b))


def _worn(
    module: str, adapters: Sequence[Factors], names: Sequence[str]
) -> tuple[nn.Module, LoraModel]:
    root = alone(module, _empty(len(adapters[0].b), adapters[0].a.shape[1]))
    first, *others = (_config(module, each) for each in adapters)
    tuner = LoraModel(root, first, names[0], low_cpu_mem_usage=True)
    for name, config in zip(names[1:], others, strict=True):
        tuner.peft_config[name] = config
        tuner.inject_adapter(root, name, low_cpu_mem_usage=True)
    for name, each in zip(names, adapters, strict=True):
        parts = {f"{module}.lora_A.weight": each.a, f"{module}.lora_B.weight": each.b}
        set_peft_model_state_dict(
            root, parts, adapter_name=name, low_cpu_mem_usage=True
        )
    return root, tuner


def _config(module: str, factors: Factors) -> LoraConfig:
    return LoraConfig(
        r=len(factors.a),
        lora_alpha=factors.alpha,  # type: ignore[arg-type]  # peft divides it
        use_rslora=factors.is_stabilised,
        target_modules=[module],
        init_lora_weights=False,
        inference_mode=True,
    )


def _empty(outputs: int, inputs: int) -> nn.Module:
    """A layer of zeros, which take no room."""
    with torch.device("meta"):
        layer = nn.Linear(inputs, outputs, bias=False)
    weight = torch.zeros(()).expand(outputs, inputs)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    return layer


def _square(products: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> float:
    """The squared Frobenius norm of a sum of products B A, without making them.

    It is the trace of B'B AA' of all factors side by side.
    """
    a = torch.cat([rows for rows, _ in products]).double()
    b = torch.cat([columns for _, columns in products], dim=1).double()
    return max(0.0, float(((b.T @ b) * (a @ a.T)).sum()))


def padded(factors: Combined, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A and B at a rank, with zeros for what is missing."""
    more = rank - len(factors.a)
    a = nn.functional.pad(factors.a, (0, 0, 0, more))
    return a, nn.functional.pad(factors.b, (0, more))


def rank_of(way: Way, ranks: Sequence[int], rank: int) -> int:
    """The rank that a layer's result may have.

    Args:
        way: Of combining.
        ranks: Of the adapters that have the layer.
        rank: That was asked for; 0 for none.
    """
    if way is Way.CAT:
        return sum(ranks)
    return rank or max(ranks)
