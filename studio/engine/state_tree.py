"""Nested states as JSON and safetensors: what torch would pickle, without pickles.

Tensors go to one safetensors file; everything else to JSON, in which a tensor is named,
and tuples, bytes and keys that are no text are marked. Two names for one storage, such
as the map that all 8-bit states share, stay one tensor.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

_TENSOR, _TUPLE, _PAIRS, _BYTES = "__tensor__", "__tuple__", "__pairs__", "__bytes__"
_MARKS = frozenset({_TENSOR, _TUPLE, _PAIRS, _BYTES})


def write_tree(folder: Path, name: str, tree: object) -> None:
    """Write a tree as ``<name>.json`` and ``<name>.safetensors``.

    Args:
        folder: Exists.
        name: Of both files.
        tree: Of dicts, lists, tuples, tensors, bytes and plain values.

    Raises:
        TypeError: Something else is in it.
        OSError, SafetensorError: The disk refuses.
    """
    tensors: dict[str, torch.Tensor] = {}
    names: dict[tuple[object, ...], str] = {}
    plain = _parted(tree, tensors, names)
    save_file(tensors, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(plain), encoding="utf-8")


def read_tree(folder: Path, name: str) -> Any:  # noqa: ANN401 - whatever was written
    """Read what `write_tree` wrote; tensors are on the processor.

    Raises:
        OSError, ValueError, SafetensorError: Something is missing or damaged.
    """
    tensors = load_file(folder / f"{name}.safetensors")
    plain = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return _joined(plain, tensors)


def read_branch(folder: Path, name: str, branch: str) -> Any:  # noqa: ANN401 - whatever was written
    """Read one branch of a tree, and no other branch's tensors.

    Raises:
        KeyError: There is no such branch.
        OSError, ValueError, SafetensorError: Something is missing or damaged.
    """
    plain = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))[branch]
    with safe_open(folder / f"{name}.safetensors", framework="pt") as opened:
        return _joined(plain, _Lazily(opened))


def dtypes_in(tree: object) -> list[str]:
    """The number formats of all tensors of a tree, in torch's words, by name."""
    return sorted({str(each.dtype).removeprefix("torch.") for each in _tensors(tree)})


def _tensors(tree: object) -> Iterator[torch.Tensor]:
    match tree:
        case torch.Tensor():
            yield tree
        case list() | tuple():
            for each in tree:
                yield from _tensors(each)
        case dict():
            yield from _tensors([*tree.values()])


class _Lazily(dict[str, torch.Tensor]):
    """Tensors of an open file, read when they are asked for."""

    def __init__(self, opened: Any) -> None:  # noqa: ANN401 - safetensors names no type
        super().__init__()
        self._opened = opened

    def __missing__(self, key: str) -> torch.Tensor:
        tensor: torch.Tensor = self._opened.get_tensor(key)
        return self.setdefault(key, tensor)


def _parted(
    tree: object,
    tensors: dict[str, torch.Tensor],
    names: dict[tuple[object, ...], str],
) -> object:
    match tree:
        case torch.Tensor():
            return {_TENSOR: _named(tree, tensors, names)}
        case None | bool() | int() | float() | str():
            return tree
        case bytes():
            return {_BYTES: b64encode(tree).decode()}
        case list() | tuple():
            parts = [_parted(each, tensors, names) for each in tree]
            return parts if isinstance(tree, list) else {_TUPLE: parts}
        case dict():
            parted = [
                (key, _parted(each, tensors, names)) for key, each in tree.items()
            ]
            if all(isinstance(key, str) and key not in _MARKS for key, _ in parted):
                return dict(parted)
            return {_PAIRS: [[_parted(key, tensors, names), e] for key, e in parted]}
        case _:
            raise TypeError(f"a {type(tree).__name__} can't be kept in a checkpoint")


def _named(
    tensor: torch.Tensor,
    tensors: dict[str, torch.Tensor],
    names: dict[tuple[object, ...], str],
) -> str:
    # An empty tensor has no storage to be known by.
    place = tensor.data_ptr() or id(tensor)
    known = (place, tuple(tensor.shape), tensor.dtype, str(tensor.device))
    if known not in names:
        names[known] = f"t{len(tensors)}"
        tensors[names[known]] = tensor.detach().cpu().contiguous().clone()
    return names[known]


def _joined(plain: Any, tensors: Mapping[str, torch.Tensor]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(plain, list):
        return [_joined(each, tensors) for each in plain]
    if not isinstance(plain, dict):
        return plain
    if _TENSOR in plain or _BYTES in plain:
        name = plain.get(_TENSOR)
        return b64decode(plain[_BYTES]) if name is None else tensors[name]
    if _TUPLE in plain:
        return tuple(_joined(each, tensors) for each in plain[_TUPLE])
    if _PAIRS in plain:
        return dict(_joined(pair, tensors) for pair in plain[_PAIRS])
    return {key: _joined(each, tensors) for key, each in plain.items()}
