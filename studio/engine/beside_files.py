"""What was trained beside an adapter, in the adapter's files as peft reads it there.

peft knows whole modules that take the places of the base's own, its "modules to save".
Of a weight that is tied peft asks for each of its names (0.21, `set_peft_model_state_
dict`), so that one is written by both.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from peft import PeftModelForCausalLM
from peft.utils.constants import EMBEDDING_LAYER_NAMES
from safetensors.torch import load_file

from studio.engine.trained_beside import (
    PREFIX,
    are_tied,
    beside_of,
    embeddings_of,
)
from studio.storage.safetensors_writing import Announced, SafetensorsWriter

_FORMATS = {
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
}


def beside_bytes(model: torch.nn.Module) -> int:
    """What it takes on disk."""
    beside = beside_of(model, by_all_names=True)
    return sum(weight.nbytes for weight in beside.values())


def add_beside(model: PeftModelForCausalLM, weights: Path, config: Path) -> None:
    """Add what was trained beside an adapter to its files, if anything was.

    Modules are named in full, so that peft takes no others for them.

    Args:
        model: With the adapter on it.
        weights: Of the adapter, which is written anew.
        config: Of the adapter.

    Raises:
        OSError: The disk refuses.
    """
    beside = beside_of(model, by_all_names=True)
    if not beside:
        return
    held = load_file(weights)
    weights.unlink()
    held |= {PREFIX + name: weight.detach() for name, weight in beside.items()}
    with SafetensorsWriter(weights, list(_announced(held))) as writer:
        for name, weight in held.items():
            flat = weight.cpu().contiguous().view(-1).view(torch.uint8)
            writer.write(name, [flat.numpy().data])
    modules = dict.fromkeys(name.rpartition(".")[0] for name in beside)
    change_config(config, {"modules_to_save": list(modules), **_tie(model, modules)})


def _announced(held: Mapping[str, torch.Tensor]) -> Iterator[Announced]:
    for name, weight in held.items():
        shape = tuple(weight.shape)
        yield Announced(name, _FORMATS[weight.dtype], shape, weight.nbytes)


def _tie(model: PeftModelForCausalLM, modules: Mapping[str, None]) -> dict[str, object]:
    """That peft shall hold what is tied once, where it knows it by its name."""
    is_trained = any(
        each.requires_grad for each in embeddings_of(model)[0].parameters()
    )
    names = {name.rpartition(".")[2] for name in modules}
    knows = not names.isdisjoint(EMBEDDING_LAYER_NAMES)
    return {"ensure_weight_tying": is_trained and knows and are_tied(model)}


def tie_again(adapted: PeftModelForCausalLM) -> None:
    """Make one weight of what peft read twice, because it was tied."""
    embedding, head = (
        getattr(module, "modules_to_save", {}) for module in embeddings_of(adapted)
    )
    for name in head:
        head[name].weight = embedding[name].weight


def change_config(config: Path, values: Mapping[str, object]) -> None:
    """Put other values into an adapter's configuration."""
    document = {**json.loads(config.read_text(encoding="utf-8")), **values}
    config.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
