"""A model of random weights, written from nothing but its config.json.

What a training step takes of memory doesn't depend on the weights' values, so a
machine without the weights can measure with these. They are written as safetensors in
16 bit, as models are published, and then loaded like any other model.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from transformers.core_model_loading import revert_weight_conversion

from studio.engine.model_config import read_config
from studio.engine.model_loading import Model
from studio.engine.staging import need_space, whole_folder
from studio.engine.tokenizer_loading import unloadable

# Small enough that sums over some thousand inputs stay moderate in 16 bit.
_SPREAD = 0.02
_SHARD_BYTES = 2 << 30
# Random numbers are drawn once and repeated; a prime, so that no two rows are alike.
_STRETCH = 4_194_301
_CONFIG = "config.json"


def write_random_model(
    described: Path, target: Path, *, as_published: bool = False
) -> None:
    """Write a model of random weights.

    Args:
        described: A folder with a config.json, or that file.
        target: The folder to make.
        as_published: Name and split tensors as published files do, where transformers
            rearranges them, instead of as the model has them.

    Raises:
        StudioError: transformers can't build such a model, or the disk is too small.
    """
    config = described / _CONFIG if described.is_dir() else described
    model = outline_of(described)
    shapes = dict(_shapes(model))
    if as_published:
        shapes = _published(model, shapes)
    size = sum(2 * shape.numel() for shape in shapes.values())
    need_space(target.parent, size, "The model of random weights")
    with whole_folder(target, replace=True) as draft:
        (draft / _CONFIG).write_bytes(config.read_bytes())
        _write(shapes, draft)


def outline_of(described: Path) -> Model:
    """The model on the meta device.

    Raises:
        StudioError: transformers can't build it.
    """
    config = read_config(described)
    try:
        with torch.device("meta"):
            model: Model = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]  # transformers leaves it untyped
                config, dtype=torch.bfloat16, trust_remote_code=False
            )
    except (ValueError, KeyError, ImportError) as fault:
        raise unloadable(described, fault) from fault
    return model


def _shapes(model: Model) -> Iterator[tuple[str, torch.Size]]:
    """Name and shape of each tensor that a checkpoint holds; tied ones once."""
    for name, parameter in model.named_parameters():
        yield name, parameter.shape
    kept = model.state_dict().keys()
    for name, buffer in model.named_buffers():
        if name in kept:
            yield name, buffer.shape


def _published(model: Model, shapes: dict[str, torch.Size]) -> dict[str, torch.Size]:
    tensors = {name: torch.empty(each, device="meta") for name, each in shapes.items()}
    split = revert_weight_conversion(model, tensors)
    return {name: tensor.shape for name, tensor in split.items()}


def _write(shapes: dict[str, torch.Size], folder: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    stretch = torch.empty(_STRETCH, dtype=torch.bfloat16)
    stretch.normal_(std=_SPREAD, generator=generator)
    shard: dict[str, torch.Tensor] = {}
    places: dict[str, str] = {}
    held = 0
    for name, shape in shapes.items():
        shard[name] = _values(name, shape, stretch)
        held += shard[name].nbytes
        if held >= _SHARD_BYTES:
            _write_shard(shard, folder, places)
            shard, held = {}, 0
    if shard:
        _write_shard(shard, folder, places)
    index = {"metadata": {}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _write_shard(
    shard: dict[str, torch.Tensor], folder: Path, places: dict[str, str]
) -> None:
    name = f"model-{len(set(places.values())) + 1:05}.safetensors"
    save_file(shard, folder / name, metadata={"format": "pt"})
    places.update(dict.fromkeys(shard, name))


def _values(name: str, shape: torch.Size, stretch: torch.Tensor) -> torch.Tensor:
    """Ones for norms, zeros for biases, random numbers for all that multiplies."""
    if name.endswith("bias"):
        return torch.zeros(shape, dtype=stretch.dtype)
    if len(shape) < 2:  # noqa: PLR2004 - a matrix
        return torch.ones(shape, dtype=stretch.dtype)
    times = -(-shape.numel() // stretch.numel())
    return stretch.repeat(times)[: shape.numel()].view(shape).contiguous()
