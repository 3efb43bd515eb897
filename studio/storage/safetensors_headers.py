"""What a safetensors file says of itself: its header, read without its weights.

The format (github.com/huggingface/safetensors, README): 8 bytes, little endian, give
the length of a JSON header; the header names each tensor's format, shape and place;
the weights follow without gaps. Files come from strangers, so nothing that a header
says is believed before it is checked against the file.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from studio.domain.errors import StudioError, refusal
from studio.storage.disk import unreadable

_LENGTH_BYTES = 8
# safetensors itself takes 100 MB. A header needs about 120 bytes a tensor, so this is
# room for 100,000 tensors, and a hostile one can't fill main memory.
_MOST_HEADER = 16 << 20
_METADATA = "__metadata__"
# safetensors, src/tensor.rs, Dtype: bits an entry takes.
_BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8}
_BITS |= {"F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8}
_BITS |= {"F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8}
_BITS |= {"I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32}
_BITS |= {"I64": 64, "U64": 64, "F64": 64, "C64": 64}
_PAIR = 2
_MOST_SIZES = 64  # more dimensions than torch's tensors have
_MOST_SIZE = 1 << 63
_MOST_NAME = 80


@dataclass(frozen=True, slots=True)
class Header:
    """A file's own words.

    Attributes:
        entries: Entries of its tensors, by format, such as ``BF16``.
        tensors: By name, in the order in which they lie in the file.
        size_bytes: Of the file.
    """

    entries: Mapping[str, int]
    tensors: Mapping[str, "TensorPlace"]
    size_bytes: int

    @property
    def names(self) -> frozenset[str]:
        """Of its tensors."""
        return frozenset(self.tensors)


def read_header(path: Path) -> Header:
    """Read a file's header and hold it against the file's size.

    Raises:
        StudioError: It can't be read, is cut off, or is no safetensors file.
    """
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):
            raise _broken(path, "it is no plain file")
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            _check_length(path, length, status.st_size)
            raw = file.read(length)
    except OSError as fault:
        raise unreadable(fault, path) from fault
    tensors = _tensors(path, raw, _LENGTH_BYTES + length)
    tensors = _in_order(path, tensors, _LENGTH_BYTES + length, status.st_size)
    entries: Counter[str] = Counter()
    for tensor in tensors.values():
        entries[tensor.format] += tensor.entries
    return Header(dict(entries), tensors, status.st_size)


@dataclass(frozen=True, slots=True)
class TensorPlace:
    """One tensor of a file.

    Attributes:
        format: Such as ``BF16``.
        shape: Its sizes.
        entries: Their product.
        begin: Where its bytes begin, from the file's own beginning.
        end: Where they end.
    """

    format: str
    shape: tuple[int, ...]
    entries: int
    begin: int
    end: int

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return self.end - self.begin


def _check_length(path: Path, length: int, size: int) -> None:
    if size < _LENGTH_BYTES:
        raise _broken(path, "it ends before its header begins")
    if length > size - _LENGTH_BYTES:
        raise _broken(
            path, f"its header is said to take {length:,} bytes, more than the file has"
        )
    if length > _MOST_HEADER:
        raise _broken(path, f"its header takes {length:,} bytes, which no model needs")


def _tensors(path: Path, raw: bytes, start: int) -> dict[str, TensorPlace]:
    try:
        read = json.loads(raw)
    except (ValueError, RecursionError):
        raise _broken(path, "its header is no JSON") from None
    if not isinstance(read, dict):
        raise _broken(path, "its header names no tensors")
    return {
        name: _tensor(path, name, told, start)
        for name, told in read.items()
        if name != _METADATA
    }


def _tensor(path: Path, name: str, told: object, start: int) -> TensorPlace:
    known = told if isinstance(told, dict) else {}
    form = known.get("dtype")
    shape, place = _sizes(known.get("shape")), _sizes(known.get("data_offsets"))
    if not (isinstance(form, str) and form in _BITS):
        raise _broken(path, f"the format of “{_shortened(name)}” is unknown")
    if shape is None or place is None or len(place) != _PAIR:
        raise _broken(path, f"the shape or place of “{_shortened(name)}” is unreadable")
    entries = math.prod(shape)
    if entries * _BITS[form] != 8 * (place[1] - place[0]):
        raise _broken(path, f"shape and place of “{_shortened(name)}” differ in size")
    begin, end = start + place[0], start + place[1]
    return TensorPlace(form, tuple(shape), entries, begin, end)


def _sizes(told: object) -> list[int] | None:
    """Whole numbers, few and bounded, so that their product is; None for others."""
    if not isinstance(told, list) or len(told) > _MOST_SIZES:
        return None
    right = all(type(each) is int and 0 <= each < _MOST_SIZE for each in told)
    return told if right else None


def _in_order(
    path: Path, tensors: Mapping[str, TensorPlace], start: int, size: int
) -> dict[str, TensorPlace]:
    """As they stand behind each other; the file ends with the last one."""
    end = start
    ordered = sorted(tensors.items(), key=lambda each: (each[1].begin, each[1].end))
    for _, tensor in ordered:
        if tensor.begin != end:
            raise _broken(path, "its tensors overlap or leave gaps")
        end = tensor.end
    if end > size:
        what = (
            f"it holds {size - start:,} of the {end - start:,} bytes of weights that "
        )
        raise _broken(path, f"{what}it names", cut=True)
    if end < size:
        raise _broken(path, f"{size - end:,} bytes behind its weights are unexplained")
    return dict(ordered)


def _shortened(name: str) -> str:
    plain = "".join(each if each.isprintable() else "?" for each in name)
    return plain if len(plain) <= _MOST_NAME else f"{plain[:_MOST_NAME]}…"


def _broken(path: Path, what: str, *, cut: bool = False) -> StudioError:
    return refusal(
        "model.weights-cut" if cut else "model.weights-broken",
        f"{path.name} can't be loaded: {what}.",
        fix="Fetch the file again.",
        where=str(path),
    )
