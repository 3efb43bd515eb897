"""PiSSA: an adapter starts as its base's principal part, and the base keeps the rest.

Meng, Wang and Zhang (2024), arXiv 2404.02948: scale * B A is the best product of its
rank for W, and the layer holds W - scale * B A, packed anew where it is quantised.
Nobody else has such a base, so what is handed over is the difference to the start: an
adapter of twice the rank for W itself, which peft calls the conversion to LoRA. Its
second half is the start, by which a run goes on: the base's rest is never found by
another decomposition.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from peft import PeftModelForCausalLM
from safetensors.torch import load, save_file
from torch import nn

from studio.domain.errors import StudioError, refusal
from studio.engine.base_files import BaseTensors
from studio.engine.session import Session
from studio.engine.starting.held_layers import hold, is_quantised, original_of
from studio.engine.starting.layers import (
    PREFIX,
    Factors,
    adapted_layers,
    base_of,
    factors_of,
    put_factors,
    scale_of,
    start_from,
)

Start = Mapping[str, Factors]
"""What each adapted layer started from, by its name in the base model."""

_STAGE = "Splitting the weights"
_WEIGHTS = "adapter_model.safetensors"
_CONFIG = "adapter_config.json"


def split(
    session: Session,
    model: PeftModelForCausalLM,
    folder: Path,
    known: Start | None = None,
) -> Start:
    """Take the principal part of each adapted layer into its adapter.

    Args:
        session: Where to report.
        model: The base with a fresh adapter; both are changed.
        folder: Of the base: holds the weights that may have been quantised.
        known: What the adapter started from, where a run is gone on with.

    Returns:
        What each layer starts from.

    Raises:
        StudioError: A layer shares its weights with another, or those that it was
            quantised from can't be found.
    """
    tensors = BaseTensors(folder)
    layers = adapted_layers(model)
    _refuse_shared(model, layers)
    start = {}
    for name, layer in session.counted(layers, _STAGE, "layers"):
        base = base_of(layer)
        weight = original_of(name, base, tensors)
        if weight is None:
            raise _unknown(name, folder)
        if known is None:
            start[name] = start_from(layer, weight)
        else:
            start[name] = known[name]
            put_factors(layer, known[name])
        hold(base, weight - start[name].product(scale_of(layer)))
    return start


def start_bytes(start: Start) -> int:
    """What it takes in an adapter's file, at most."""
    return sum(4 * factor.numel() for factors in start.values() for factor in factors)


def hand_over_difference(adapter: Path, start: Start) -> None:
    """Let a saved adapter be one for the base as it is, of twice the rank.

    Args:
        adapter: A folder that is being filled.
        start: Of the run; where it is empty, nothing is changed.
    """
    if not start:
        return
    weights = load((adapter / _WEIGHTS).read_bytes())
    for name, factors in start.items():
        first, second = _keys(name)
        weights[first] = _joined(weights[first], factors.first, 0)
        weights[second] = _joined(weights[second], -factors.second, 1)
    save_file(weights, adapter / _WEIGHTS, metadata={"format": "pt"})
    document = json.loads((adapter / _CONFIG).read_text(encoding="utf-8"))
    document |= {key: 2 * document[key] for key in ("r", "lora_alpha")}
    for patterns in ("rank_pattern", "alpha_pattern"):
        document[patterns] = {key: 2 * n for key, n in document[patterns].items()}
    text = json.dumps(document, indent=2) + "\n"
    (adapter / _CONFIG).write_text(text, encoding="utf-8")


def start_of(adapter: Path) -> Start:
    """What a run started from, as its adapter was handed over.

    Args:
        adapter: A folder that `hand_over_difference` was done with.
    """
    weights = load((adapter / _WEIGHTS).read_bytes())
    names = [key.removesuffix(_SUFFIXES[0]) for key in weights if _SUFFIXES[0] in key]
    return {
        name.removeprefix(PREFIX): Factors(
            *_second_half(*(weights[f"{name}{suffix}"] for suffix in _SUFFIXES))
        )
        for name in names
    }


def hold_as_trained(model: PeftModelForCausalLM, folder: Path) -> None:
    """Let a quantised base with the adapter that was handed over be as it was trained.

    Args:
        model: The base as it was loaded, with that adapter; both are changed.
        folder: Of the base.

    Raises:
        StudioError: The weights that were quantised can't be found.
    """
    tensors = BaseTensors(folder)
    for name, layer in adapted_layers(model):
        base = base_of(layer)
        weight = original_of(name, base, tensors)
        if weight is None:
            raise _unknown(name, folder)
        started = Factors(*_second_half(*factors_of(layer)))
        hold(base, weight - started.product(scale_of(layer)))
    silence_start(model)


def silence_start(model: PeftModelForCausalLM) -> None:
    """Take off an adapter that was handed over what its base already lacks."""
    for _, layer in adapted_layers(model):
        second = layer.get_parameter("lora_B.default.weight")
        second.data[:, second.shape[1] // 2 :] = 0


_SUFFIXES = (".lora_A.weight", ".lora_B.weight")


def _keys(name: str) -> Iterator[str]:
    return (f"{PREFIX}{name}{suffix}" for suffix in _SUFFIXES)


def _joined(now: torch.Tensor, then: torch.Tensor, along: int) -> torch.Tensor:
    return torch.cat([now, then.to(now.dtype)], along).contiguous()


def _second_half(
    first: torch.Tensor, second: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The start in an adapter of twice the rank; its digits are those of bf16."""
    rank = first.shape[0] // 2
    halves = first[rank:], -second[:, rank:]
    return halves[0].to(torch.bfloat16), halves[1].to(torch.bfloat16)


def _refuse_shared(
    model: PeftModelForCausalLM, layers: list[tuple[str, nn.Module]]
) -> None:
    """Refuse weights that serve twice: what is taken out is missed elsewhere."""
    owners: dict[int, int] = {}
    for _, parameter in model.named_parameters(remove_duplicate=False):
        owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    for name, layer in layers:
        base = base_of(layer)
        if not is_quantised(base) and owners[id(base.weight)] > 1:
            raise refusal(
                "recipe.pissa-shared-weights",
                f"PiSSA can’t adapt {name}, whose weights serve another layer too.",
                why="It takes a part out of them, which the other layer would miss.",
                fix=f"Leave {name} out of lora.targets, or set lora.variant to lora.",
                where="lora.targets",
            )


def _unknown(name: str, folder: Path) -> StudioError:
    return refusal(
        "recipe.pissa-unknown-weights",
        f"PiSSA can’t find the unquantised weights of {name} in {folder}.",
        fix="Set model.precision to bf16, or lora.variant to lora.",
        where="lora.variant",
    )
