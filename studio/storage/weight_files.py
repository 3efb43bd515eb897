"""A model's weight files: their headers together, and what is wrong with them."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from studio.domain.errors import StudioError
from studio.domain.finding import Finding, error, warning
from studio.storage.bounded_files import read_object
from studio.storage.safetensors_headers import Header, TensorPlace, read_header

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
"""Names of weights in a format that can run code when it is loaded."""

_INDEX = "model.safetensors.index.json"
_PLAIN_NAME = re.compile(r"[\w.+-]+", re.ASCII)


def read_weights(folder: Path) -> tuple[Header, list[Finding]]:
    """All headers of a folder as one, and what is wrong with its files."""
    entries: Counter[str] = Counter()
    tensors: dict[str, TensorPlace] = {}
    size, findings = 0, []
    files = sorted(folder.glob("*.safetensors"))
    for file in files:
        try:
            header = read_header(file)
        except StudioError as fault:
            findings.append(fault.finding)
            size += file.stat().st_size if file.is_file() else 0
        else:
            entries.update(header.entries)
            tensors |= header.tensors
            size += header.size_bytes
    findings += _shard_findings(folder)
    if not files:
        findings += _without_safetensors(folder)
    return Header(dict(entries), tensors, size), findings


def _shard_findings(folder: Path) -> Iterator[Finding]:
    index = folder / _INDEX
    if not (index.exists() or index.is_symlink()):
        return
    try:
        listed = read_object(index).get("weight_map")
    except StudioError as fault:
        yield fault.finding
        return
    names = sorted(
        {str(name) for name in listed.values()} if isinstance(listed, dict) else ()
    )
    if not names:
        yield error(
            "model.index",
            f"{_INDEX} names no files.",
            fix="Fetch the file again.",
            where=str(index),
        )
    strange = [name for name in names if not _PLAIN_NAME.fullmatch(name)]
    if strange:
        yield error(
            "model.index",
            f"{_INDEX} names files that lie outside of the folder.",
            why="Such an index isn't followed.",
            fix="Take the model from another place.",
            where=str(index),
        )
    missing = [n for n in names if n not in strange and not (folder / n).is_file()]
    if missing:
        yield error(
            "model.missing-shard",
            f"{len(missing)} of {len(names)} weight files are missing, such as "
            f"{missing[0]}.",
            fix="Fetch the model again; what is here already is kept.",
            where=str(folder),
        )


def _without_safetensors(folder: Path) -> Iterator[Finding]:
    if any(True for each in PICKLES for _ in folder.glob(each)):
        yield error(
            "model.pickle",
            "Its weights lie in pickle files, which can run code when they are loaded.",
            fix="Save the model as safetensors, or fetch a version that is.",
            where=str(folder),
        )
    elif any(folder.glob("*.gguf")):
        yield error(
            "model.gguf",
            "Its weights are GGUF, which can’t be trained.",
            fix="Fetch the model that it was made from, as safetensors.",
            where=str(folder),
        )
    else:
        yield warning(
            "model.no-weights",
            "No weights are here.",
            why="It can be priced, but not trained.",
            fix="Fetch its .safetensors files.",
            where=str(folder),
        )
