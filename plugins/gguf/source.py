"""What a merged model's folder says: read from its small files, without its weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from studio.domain.errors import StudioError
from studio.storage.bounded_files import read_object


@dataclass(frozen=True, slots=True)
class Source:
    """A model in transformers' form.

    Attributes:
        folder: Where it lies.
        architecture: As its config names it; empty when it doesn't.
        template: Its chat template; empty without one.
        end: The text of the token that ends an answer; empty when none does.
        ends: The texts of all that end one.
        begin: The text that begins a chat; empty when none does.
        sampling: How its maker would have answers drawn, by transformers' names.
        context: Most tokens that it reads; 0 when unknown.
        is_tied: Whether its head is its embedding.
        needs_pieces: Whether its words are put together as sentencepiece does it,
            which llama.cpp reads from a file of its own.
    """

    folder: Path
    architecture: str = ""
    template: str = ""
    end: str = ""
    ends: tuple[str, ...] = ()
    begin: str = ""
    sampling: Mapping[str, float] = field(default_factory=dict)
    context: int = 0
    is_tied: bool = False
    needs_pieces: bool = False


_READ = (
    "config.json",
    "tokenizer_config.json",
    "generation_config.json",
    "tokenizer.json",
    "chat_template.jinja",
)
_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


def source_of(folder: Path) -> Source:
    """Read a model's folder.

    Raises:
        StudioError: It has no config, or one that can't be read.
    """
    changed = tuple(_changed(folder / name) for name in _READ)
    return _read_source(folder, changed)


@lru_cache(maxsize=8)
def _read_source(folder: Path, _changed_at: tuple[int, ...]) -> Source:
    """Once for all forms: a tokenizer has megabytes of words."""
    config = read_object(folder / "config.json")
    settings = _optional(folder / "tokenizer_config.json")
    generation = _optional(folder / "generation_config.json")
    words = _words_of(folder)
    texts = _added_texts(words)
    end = _text(settings.get("eos_token"))
    listed = generation.get("eos_token_id")
    others = [texts.get(each, "") for each in _as_list(listed)]
    architectures = config.get("architectures")
    context = config.get("max_position_embeddings")
    return Source(
        folder=folder,
        architecture=str(architectures[0])
        if isinstance(architectures, list) and architectures
        else "",
        template=_template(folder, settings),
        end=end,
        ends=tuple(dict.fromkeys(each for each in (end, *others) if each)),
        begin=_text(settings.get("bos_token")),
        sampling=_numbers(generation),
        context=context if isinstance(context, int) else 0,
        is_tied=config.get("tie_word_embeddings") is True,
        needs_pieces=_needs_pieces(words),
    )


def _changed(file: Path) -> int:
    """When a file was written, in nanoseconds; 0 where there is none."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def _template(folder: Path, settings: Mapping[str, object]) -> str:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    told = settings.get("chat_template")
    return told if isinstance(told, str) else ""


def _words_of(folder: Path) -> Mapping[str, object]:
    try:
        told = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _added_texts(words: Mapping[str, object]) -> dict[int, str]:
    """Added tokens' texts by their number."""
    listed = words.get("added_tokens")
    return {
        each["id"]: str(each.get("content", ""))
        for each in (listed if isinstance(listed, list) else ())
        if isinstance(each, dict) and isinstance(each.get("id"), int)
    }


def _needs_pieces(words: Mapping[str, object]) -> bool:
    model = words.get("model")
    return isinstance(model, dict) and model.get("byte_fallback") is True


def _optional(file: Path) -> Mapping[str, object]:
    try:
        return read_object(file) if file.is_file() else {}
    except StudioError:
        return {}


def _text(told: object) -> str:
    if isinstance(told, dict):
        told = told.get("content")
    return told if isinstance(told, str) else ""


def _as_list(told: object) -> list[int]:
    listed = told if isinstance(told, list) else [told]
    return [each for each in listed if isinstance(each, int)]


def _numbers(generation: Mapping[str, object]) -> dict[str, float]:
    return {
        name: float(value)
        for name in _SAMPLING
        if isinstance(value := generation.get(name), int | float)
        and not isinstance(value, bool)
    }
