"""What speaks against an export to GGUF, from small files alone."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from studio.domain.finding import Finding, error, warning
from studio.storage.safetensors_headers import read_header
from studio.system.llama_cpp import VARIABLE, find_llama_cpp

from . import supported, words
from .forms import FORMS, form_named
from .source import Source, source_of

_REST_BYTES = 64 << 20
_NEWER = (
    "Use the merged model as it is, or a newer llama.cpp by naming its folder in "
    f"{VARIABLE}."
)


def check(source: Path, form: str) -> Sequence[Finding]:
    """What speaks against it.

    Args:
        source: The folder of a base or of a merged model.
        form: Of the weights.

    Returns:
        Errors where it can't be exported, warnings where something is doubtful.
    """
    wanted = form_named(form)
    found = list(_findings(source_of(source)))
    if wanted.from_form and find_llama_cpp().quantizer is None:
        found.append(
            error(
                "gguf.no-quantizer",
                "K-quants need llama-quantize, which isn’t found on this machine.",
                fix="Choose q8_0, or install llama.cpp and name its folder in "
                f"{VARIABLE}.",
                where="--form",
            )
        )
    return found


def size_bytes(source: Path, form: str) -> int:
    """What an export takes at most, the file in between counted in."""
    entries = sum(
        place.entries
        for file in source.glob("*.safetensors")
        for place in read_header(file).tensors.values()
    )
    wanted = form_named(form)
    bits = wanted.most_bits
    if wanted.from_form:
        bits += FORMS[wanted.from_form].most_bits
    return int(entries * bits / 8) + _REST_BYTES


def _findings(source: Source) -> Iterator[Finding]:
    if any(source.folder.glob("*.py")) or _brings_code(source.folder):
        yield error(
            "gguf.foreign-code",
            "This model brings code of its own, which the converter would run.",
            fix="Use the merged model as it is.",
            where=str(source.folder),
        )
    known = supported.architectures()
    if known and source.architecture and source.architecture not in known:
        yield error(
            "gguf.architecture",
            "llama.cpp’s converter doesn’t know models of the kind "
            f"{source.architecture}.",
            fix=_NEWER,
            where=str(source.folder),
        )
    if source.needs_pieces and not (source.folder / "tokenizer.model").is_file():
        yield warning(
            "gguf.no-pieces",
            "This model’s folder has no tokenizer.model, which tells llama.cpp how "
            "words are put together.",
            why="The exported file may split text otherwise than in training; that is "
            "looked at when it is there.",
            fix="Fetch the base model with its tokenizer.model.",
            where=str(source.folder),
        )
    elif not source.needs_pieces and words.are_known(source.folder) is False:
        yield warning(
            "gguf.unknown-words",
            "llama.cpp’s converter doesn’t know this model’s tokenizer.",
            why="It refuses models of which it can’t tell how text is split.",
            fix=_NEWER,
            where=str(source.folder),
        )


def _brings_code(folder: Path) -> bool:
    return any(
        "auto_map" in _object(folder / name)
        for name in ("config.json", "tokenizer_config.json")
    )


def _object(file: Path) -> dict[str, object]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
