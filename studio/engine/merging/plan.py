"""Which tensor of which file of the base each part of an adapter belongs to.

A merged model keeps its base's files, names and layout, whatever transformers makes of
them while it loads: so it loads as its base does.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from studio.domain.errors import StudioError, refusal
from studio.engine.base_files import INDEX, WEIGHTS, weight_files
from studio.engine.merging.places import Places, Rows, places_in_files
from studio.engine.merging.targets import ADAPTED, Target, targets_of
from studio.engine.random_weights import outline_of
from studio.engine.tokenizer_loading import unloadable
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

_MATRIX, _STACK = 2, 3


@dataclass(frozen=True, slots=True)
class Piece:
    """One tensor on its way from the base to the merged model.

    Attributes:
        name: In the file.
        place: There.
        target: The weight that it belongs to, which is worked out; None for what is
            copied.
        rows: What it holds of a stack of experts, in order; empty for a whole weight.
        given: Name of what the adapter puts in its place, if it was trained itself.
    """

    name: str
    place: TensorPlace
    target: Target | None = None
    rows: tuple[Rows, ...] = ()
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


def plan_of(base: Path, adapter: Path, held: Collection[str] = ()) -> tuple[Shard, ...]:
    """Find where each part of an adapter belongs.

    Args:
        base: The base model's folder.
        adapter: The adapter's folder.
        held: Further layers whose weights don't stay as they are.

    Returns:
        The base's files.

    Raises:
        StudioError: A file can't be read, or a part belongs to nothing that lies in
            the files as it lies in the model.
    """
    parts = read_header(adapter / ADAPTER_WEIGHTS).tensors
    files = {path: read_header(path).tensors for path in weight_files(base)}
    if not files:
        raise unloadable(base, FileNotFoundError(f"no {WEIGHTS} or {INDEX}"))
    model = outline_of(base)
    tensors = {name: each for held in files.values() for name, each in held.items()}
    places = places_in_files(model, tensors)
    pieces = _worked_out(targets_of(base, model, adapter, parts, held), places, tensors)
    pieces |= _given(model, places, parts, tensors)
    return tuple(
        Shard(path, tuple(pieces.get(name) or Piece(name, held[name]) for name in held))
        for path, held in files.items()
    )


def _worked_out(
    targets: Iterable[Target], places: Places, tensors: Mapping[str, TensorPlace]
) -> dict[str, Piece]:
    """What an adapter changes, by name in the files."""
    found = {}
    for target in targets:
        lying = places.get(target.name)
        if lying is None:
            raise _elsewhere(target.name)
        for name, rows in lying.items():
            place = tensors[name]
            piece = Piece(name, place, target, rows or _all_rows(target, place))
            if not _is_workable(piece):
                raise _elsewhere(target.name)
            found[name] = piece
    return found


def _all_rows(target: Target, place: TensorPlace) -> tuple[Rows, ...]:
    """Of a stack that lies in the files as it is."""
    if not target.experts or len(place.shape) != _STACK:
        return ()
    height = place.shape[2 if target.transposed else 1]
    return tuple(Rows(expert, 0, height) for expert in range(place.shape[0]))


def _is_workable(piece: Piece) -> bool:
    """Whether it is a matrix, or a stack of them, of plain numbers."""
    shape = piece.place.shape
    fits = len(shape) >= _MATRIX and shape[:-_MATRIX] in {(), (len(piece.rows),)}
    return fits and piece.place.format in FLOATS


def _given(
    model: PreTrainedModel,
    places: Places,
    parts: Mapping[str, TensorPlace],
    tensors: Mapping[str, TensorPlace],
) -> dict[str, Piece]:
    """What takes a weight's place, by its name in the files.

    A weight that is tied to another one needs not be in the files.
    """
    tied = model.all_tied_weights_keys
    found = {}
    for part, given in parts.items():
        weight = part.removeprefix(PREFIX)
        lying = places.get(weight, {})
        if ADAPTED.fullmatch(part) or (weight in tied and not lying):
            continue
        name = next((name for name, rows in lying.items() if not rows), None)
        if name is None or tensors[name].shape != given.shape:
            raise _elsewhere(weight)
        found[name] = Piece(name, tensors[name], given=part)
    return found


def _elsewhere(weight: str) -> StudioError:
    return refusal(
        "merge.rearranged",
        f"The base’s files hold {weight} in another form than the model does.",
        why="A merged model keeps its base’s files, so what is merged must lie there.",
        fix="Hand the adapter on as it is, or train from a copy of the base whose "
        "weights are in 16 or 32 bits and lie as the model has them.",
        where=weight,
    )
