"""Which tensor of which file of the base each part of an adapter belongs to.

A merged model keeps its base's files, names and layout, whatever transformers makes of
them while it loads: so it loads as its base does. Only where an adapted weight lies in
the files as it lies in the model can it be merged there.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from studio.engine.base_files import names_in_files, weight_files
from studio.engine.random_weights import outline_of
from studio.engine.trained_beside import PREFIX
from studio.storage.safetensors_headers import TensorPlace, read_header

ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
FLOATS: Mapping[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}
"""The formats, in safetensors' words, whose tensors are given another one."""

_ADAPTED = re.compile(
    r"base_model\.model\.(.+)\.(?:lora_[AB]|lora_magnitude_vector)(?:\.weight)?"
)
_MATRIX = 2


@dataclass(frozen=True, slots=True)
class Piece:
    """One tensor on its way from the base to the merged model.

    Attributes:
        name: In the file.
        place: There.
        module: Of the model, whose weight is worked out; None for what is copied.
        transposed: Whether it is held as inputs x outputs (GPT-2's Conv1D).
        given: Name of what the adapter puts in its place, if it was trained itself.
    """

    name: str
    place: TensorPlace
    module: str | None = None
    transposed: bool = False
    given: str | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of the base.

    Attributes:
        path: Of the base's file; the merged model's has the same name.
        pieces: In the order in which they lie in it.
    """

    path: Path
    pieces: tuple[Piece, ...]


def plan_of(
    base: Path, adapter: Path, held: Collection[str] = ()
) -> tuple[Shard, ...] | None:
    """Find where each part of an adapter belongs.

    Args:
        base: The base model's folder.
        adapter: The adapter's folder.
        held: Further layers whose weights don't stay as they are.

    Returns:
        The base's files; None where a part belongs to nothing that lies in them as it
        is, so that the model has to be put together in memory.

    Raises:
        StudioError: A file can't be read.
    """
    parts = read_header(adapter / ADAPTER_WEIGHTS).tensors
    files = {path: read_header(path).tensors for path in weight_files(base)}
    if not files:
        return None
    model = outline_of(base)
    names = names_in_files(model, (name for held in files.values() for name in held))
    adapted = _adapted(model, names, _adapted_modules(parts) | set(held))
    given = _given(model, names, parts)
    if adapted is None or given is None:
        return None
    shards = tuple(
        Shard(path, tuple(_piece(name, held[name], adapted, given) for name in held))
        for path, held in files.items()
    )
    pieces = [piece for shard in shards for piece in shard.pieces]
    if not all(map(_is_matrix, filter(_is_adapted, pieces))):
        return None
    fits = all(
        piece.place.shape == parts[piece.given].shape for piece in pieces if piece.given
    )
    return shards if fits else None


def _adapted(
    model: PreTrainedModel, names: Mapping[str, str], modules: Iterable[str]
) -> dict[str, tuple[str, bool]] | None:
    """Layers by the names of their weights in the files; None if one isn't there."""
    found = {}
    for module in modules:
        name = names.get(f"{module}.weight")
        layer = model.get_submodule(module) if name else None
        if name is None or not isinstance(layer, nn.Linear | Conv1D):
            return None
        found[name] = module, isinstance(layer, Conv1D)
    return found


def _given(
    model: PreTrainedModel, names: Mapping[str, str], parts: Iterable[str]
) -> dict[str, str] | None:
    """What takes a weight's place, by its name in the files; None if one isn't there.

    A weight that is tied to another one needs not be in the files.
    """
    tied = model.all_tied_weights_keys
    found = {}
    for part in parts:
        weight = part.removeprefix(PREFIX)
        if _ADAPTED.fullmatch(part) or (weight in tied and weight not in names):
            continue
        if weight not in names:
            return None
        found[names[weight]] = part
    return found


def _piece(
    name: str,
    place: TensorPlace,
    adapted: Mapping[str, tuple[str, bool]],
    given: Mapping[str, str],
) -> Piece:
    module, transposed = adapted.get(name, (None, False))
    return Piece(name, place, module, transposed, given.get(name))


def _is_adapted(piece: Piece) -> bool:
    return piece.module is not None


def _is_matrix(piece: Piece) -> bool:
    return piece.place.format in FLOATS and len(piece.place.shape) == _MATRIX


def _adapted_modules(parts: Iterable[str]) -> set[str]:
    """Modules with a part in the adapter."""
    found = map(_ADAPTED.fullmatch, parts)
    return {each[1] for each in found if each}
