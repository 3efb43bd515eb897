"""Writes a safetensors file tensor by tensor, so that none but one is in memory.

The format puts a header with every tensor's place in front, so what will come is
announced first and then written in that order.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

_LENGTH_BYTES = 8
# Weights begin at a multiple of this, as safetensors' own writer has it.
_ALIGNED = 8


@dataclass(frozen=True, slots=True)
class Announced:
    """A tensor that will be written.

    Attributes:
        name: Of the tensor.
        format: In the format's words, such as ``BF16``.
        shape: Its sizes.
        size_bytes: What it takes.
    """

    name: str
    format: str
    shape: tuple[int, ...]
    size_bytes: int


class SafetensorsWriter:
    """A file that is being written; a context that closes it."""

    def __init__(self, path: Path, tensors: Sequence[Announced]) -> None:
        """Make the file and write its header.

        Args:
            path: Must not exist.
            tensors: In the order in which they will be written.

        Raises:
            OSError: The disk refuses.
        """
        self._left = list(reversed(tensors))
        self._file = path.open("xb")
        self._file.write(_header(tensors))

    def __enter__(self) -> Self:
        """Go on writing."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()
        if kind is None and self._left:
            raise ValueError(f"{self._left[-1].name} was announced and not written")

    def write(self, name: str, chunks: Iterable[memoryview]) -> None:
        """Write the next tensor.

        Args:
            name: The next one that was announced.
            chunks: Its bytes, one piece behind the other.

        Raises:
            ValueError: It is another one's turn, or its size is another.
            OSError: The disk refuses.
        """
        due = self._left.pop()
        written = sum(self._file.write(chunk) for chunk in chunks)
        if (name, written) != (due.name, due.size_bytes):
            raise ValueError(
                f"{due.name} with {due.size_bytes:,} bytes was due, "
                f"and {name} with {written:,} came"
            )


def _header(tensors: Sequence[Announced]) -> bytes:
    places: dict[str, Mapping[str, object]] = {"__metadata__": {"format": "pt"}}
    at = 0
    for each in tensors:
        places[each.name] = {
            "dtype": each.format,
            "shape": list(each.shape),
            "data_offsets": [at, at + each.size_bytes],
        }
        at += each.size_bytes
    text = json.dumps(places, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNED)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text
