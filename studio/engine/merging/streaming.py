"""Merges file by file and tensor by tensor: memory holds one matrix at a time.

What has no adapter is copied in pieces, and given its new format on the way. The base's
files are only read.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import torch

from studio.domain.errors import StudioError, refusal
from studio.domain.hardware import MIB
from studio.domain.waypoints import passing
from studio.engine.base_files import INDEX
from studio.engine.merging.arithmetic import AdapterParts
from studio.engine.merging.plan import FLOATS, Piece, Shard
from studio.engine.session import Count
from studio.storage.safetensors_writing import Announced, SafetensorsWriter

_FORMATS = {dtype: name for name, dtype in FLOATS.items()}
# A multiple of every format's width.
_CHUNK_BYTES = 32 << 20


def merged_bytes(shards: Sequence[Shard], dtype: torch.dtype) -> int:
    """What the merged files take, headers left out."""
    pieces = (piece for shard in shards for piece in shard.pieces)
    return sum(_announced(piece, dtype).size_bytes for piece in pieces)


def merge_shard(
    shard: Shard, parts: AdapterParts, target: Path, dtype: torch.dtype, count: Count
) -> None:
    """Write one file of the merged model.

    Args:
        shard: The base's file.
        parts: The adapter.
        target: The file to make.
        dtype: Of floating-point weights.
        count: Told of what was read, in MiB.

    Raises:
        StudioError: A weight doesn't fit the format.
        OSError: The disk refuses.
    """
    announced = [_announced(piece, dtype) for piece in shard.pieces]
    with (
        shard.path.open("rb", buffering=0) as source,
        SafetensorsWriter(target, announced) as writer,
    ):
        for piece in shard.pieces:
            chunks = _merged(piece, source, parts, dtype)
            writer.write(piece.name, map(_bytes_of, chunks))
            passing("merge.tensor")
            count.add(piece.place.size_bytes / MIB)


def write_index(shards: Sequence[Shard], target: Path, dtype: torch.dtype) -> None:
    """Say which tensor lies in which file, where there are several."""
    if len(shards) == 1:
        return
    where = {piece.name: shard.path.name for shard in shards for piece in shard.pieces}
    document = {
        "metadata": {"total_size": merged_bytes(shards, dtype)},
        "weight_map": dict(sorted(where.items())),
    }
    text = json.dumps(document, indent=2) + "\n"
    (target / INDEX).write_text(text, encoding="utf-8")


def _announced(piece: Piece, dtype: torch.dtype) -> Announced:
    place = piece.place
    if place.format not in FLOATS:
        return Announced(piece.name, place.format, place.shape, place.size_bytes)
    size = place.entries * dtype.itemsize
    return Announced(piece.name, _FORMATS[dtype], place.shape, size)


def _merged(
    piece: Piece, source: BinaryIO, parts: AdapterParts, dtype: torch.dtype
) -> Iterator[torch.Tensor]:
    held = FLOATS.get(piece.place.format)
    if piece.given is not None:
        for rows in parts.rows(piece.given, _CHUNK_BYTES):
            yield _rounded(piece, rows, dtype)
        return
    if piece.target is None:
        for chunk in _chunks(piece, source):
            if held in {None, dtype}:
                yield chunk
            else:
                yield _rounded(piece, chunk.view(held), dtype)
        return
    for matrix in range(max(1, len(piece.rows))):
        done = _worked_out(piece, matrix, source, parts)
        yield _rounded(piece, done, dtype)
        del done


def _worked_out(
    piece: Piece, matrix: int, source: BinaryIO, parts: AdapterParts
) -> torch.Tensor:
    """A whole weight, or one expert's of a stack."""
    assert piece.target is not None
    size = piece.place.size_bytes // max(1, len(piece.rows))
    read = _read(source, piece.place.begin + matrix * size, size)
    held = FLOATS[piece.place.format]
    weight = read.view(held).reshape(piece.place.shape[-2:]).float()
    del read
    rows = piece.rows[matrix] if piece.rows else None
    return parts.merged(piece.target, weight, rows)


def _chunks(piece: Piece, source: BinaryIO) -> Iterator[torch.Tensor]:
    """A tensor's bytes, so many at a time."""
    begin, end = piece.place.begin, piece.place.begin + piece.place.size_bytes
    for start in range(begin, end, _CHUNK_BYTES):
        yield _read(source, start, min(_CHUNK_BYTES, end - start))


def _read(source: BinaryIO, begin: int, size: int) -> torch.Tensor:
    source.seek(begin)
    chunk = torch.empty(size, dtype=torch.uint8)
    _fill(chunk.numpy().data, source)
    return chunk


def _fill(room: memoryview, source: BinaryIO) -> None:
    while room:
        read = source.readinto(room)  # type: ignore[attr-defined]  # unbuffered
        if not read:
            raise OSError("the base's file ended while it was read")
        room = room[read:]


def _rounded(piece: Piece, weight: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    rounded = weight.to(dtype)
    if not torch.isfinite(rounded).all():
        raise _not_finite(piece, weight, dtype)
    return rounded


def _bytes_of(weight: torch.Tensor) -> memoryview:
    return weight.contiguous().view(torch.uint8).reshape(-1).numpy().data


def _not_finite(piece: Piece, weight: torch.Tensor, dtype: torch.dtype) -> StudioError:
    if torch.isfinite(weight).all():
        name = "fp16" if dtype is torch.float16 else "bf16"
        return refusal(
            "merge.overflow",
            f"The weights of {piece.name} are too large for {name}.",
            fix="Merge to fp32." if name == "bf16" else "Merge to bf16 or fp32.",
            where="--dtype",
        )
    return refusal(
        "merge.not-finite",
        f"The weights of {piece.name} are no numbers any more (NaN or infinite).",
        why="Base or adapter holds some, so the model would answer nothing.",
        fix="Train again from a checkpoint before the loss broke down.",
        where=piece.name,
    )
