"""Checkpoint folders: sealed by a manifest, checked before they are trusted, rotated.

A manifest names each file with its size and SHA-256, and what the checkpoint depends
on. It is written last into a folder that has no name yet, so whoever finds a manifest
finds all that it names, unless the disk lost it; `fault_of` tells.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from studio.domain.waypoints import passing
from studio.storage.data_digest import sha256_of

MANIFEST = "manifest.json"
FORM = 1
# Below two, one that turns out damaged would leave nothing.
LEAST_KEPT = 2

_NAME = re.compile(r"step-(\d{1,9})")


class FileSeal(msgspec.Struct, frozen=True):
    """A file as it was written: bytes and SHA-256."""

    size: int
    sha256: str


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint depends on; if it changes, going on is another run.

    Attributes:
        recipe: SHA-256 of the recipe's values that decide what is learnt.
        data: SHA-256 of the data file, or of all of them.
        model: SHA-256 of the base's configuration and of its weight files' names and
            sizes.
        device: ``cpu`` or ``cuda``.
        versions: Of this program and of the libraries that compute, by name.
        tokens: SHA-256 of each of the base's files that decide how text becomes
            tokens, by name; None in manifests that were written before it was kept.
    """

    recipe: str
    data: str
    model: str
    device: str
    versions: dict[str, str]
    tokens: dict[str, str] | None = None


# Of what is written to be measured, and never gone on with.
UNKNOWN = Fingerprint(recipe="", data="", model="", device="", versions={})


class Position(msgspec.Struct, frozen=True):
    """How far a run has come through its data.

    Attributes:
        epoch: Passes, the one under way as a part.
        rows: Of the pass under way, in its own order, that were trained on; packed
            ones where rows are packed.
        of_rows: How many a pass has.
    """

    epoch: float
    rows: int
    of_rows: int


class State(msgspec.Struct, frozen=True):
    """What is told of a training state beside its files.

    Attributes:
        dtypes: The number formats of its tensors by kind, such as ``weights`` and
            ``optimizer``, in torch's words.
        position: Where in the data it stands.
    """

    dtypes: dict[str, list[str]]
    position: Position


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What lies in a checkpoint folder.

    Attributes:
        step: Whose state it is.
        fingerprint: What it depends on.
        files: Every file, by its path in the folder.
        state: What is told of the training state; None in a manifest that was
            written before it was.
        form: Of the manifest.
    """

    step: int
    fingerprint: Fingerprint
    files: dict[str, FileSeal]
    state: State | None = None
    form: int = FORM


@dataclass(frozen=True, slots=True)
class Found:
    """A checkpoint that is whole.

    Attributes:
        path: Its folder.
        manifest: Of it.
    """

    path: Path
    manifest: Manifest


def seal(
    folder: Path, step: int, fingerprint: Fingerprint, state: State | None = None
) -> None:
    """Write the manifest of all files that lie in a folder.

    Args:
        folder: With everything in it.
        step: Whose state it is.
        fingerprint: What it depends on.
        state: What is told of it.

    Raises:
        OSError: The disk refuses.
    """
    files = {
        file.relative_to(folder).as_posix(): FileSeal(
            file.stat().st_size, sha256_of(file)
        )
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    manifest = Manifest(step=step, fingerprint=fingerprint, files=files, state=state)
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))


def checkpoint_name(step: int) -> str:
    """What the folder of a step is called."""
    return f"step-{step}"


def all_of(parent: Path) -> Sequence[tuple[int, Path]]:
    """Every checkpoint folder by its step, the earliest first; whole or not."""
    try:
        folders = [folder for folder in parent.iterdir() if folder.is_dir()]
    except OSError:
        return ()
    named = ((_NAME.fullmatch(folder.name), folder) for folder in folders)
    return sorted((int(name[1]), folder) for name, folder in named if name)


def read(folder: Path) -> Found | str:
    """A checkpoint, or what is wrong with it, as the end of a sentence."""
    try:
        content = (folder / MANIFEST).read_bytes()
    except OSError:
        return "has no manifest"
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError:
        return "has a manifest that can't be read"
    if manifest.form > FORM:
        return "was written by a newer Snugtune"
    for name, sealed in manifest.files.items():
        fault = _fault(folder, name, sealed)
        if fault:
            return fault
    return Found(folder, manifest)


def fingerprint_of(folder: Path) -> Fingerprint | None:
    """What a checkpoint says that it depends on; its files aren't looked at."""
    try:
        content = (folder / MANIFEST).read_bytes()
        return msgspec.json.decode(content, type=Manifest).fingerprint
    except (OSError, msgspec.MsgspecError):
        return None


def newest_whole(parent: Path) -> tuple[Found | None, list[tuple[str, str]]]:
    """The newest checkpoint that can be trusted.

    Returns:
        (it, or None when there is none; the newer ones that can't be, each with what
        is wrong with it)
    """
    damaged: list[tuple[str, str]] = []
    for _, folder in reversed(all_of(parent)):
        found = read(folder)
        if isinstance(found, Found):
            return found, damaged
        damaged.append((folder.name, found))
    return None, damaged


def rotate(parent: Path, keep: int, spared: Iterable[int] = ()) -> list[int]:
    """Remove the earliest checkpoints beyond so many.

    Only whole ones are counted, so that those which stay can be gone on from. Those
    that have no manifest, such as of an earlier Snugtune, are never removed.

    Args:
        parent: Holds them.
        keep: How many stay, at least `LEAST_KEPT`.
        spared: Steps whose checkpoints stay beside these.

    Returns:
        The steps whose checkpoints were removed.
    """
    missing, kept, gone = max(keep, LEAST_KEPT), set(spared), []
    for step, folder in reversed(all_of(parent)):
        if missing:
            missing -= isinstance(read(folder), Found)
        elif step not in kept and (folder / MANIFEST).is_file():
            _remove(folder)
            passing("rotate.removed")
            gone.append(step)
    return gone


def _fault(folder: Path, name: str, sealed: FileSeal) -> str:
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        return f"names a file outside of it, {name}"
    try:
        size = file.stat().st_size
    except OSError:
        return f"lacks {name}"
    if size != sealed.size:
        return f"holds {size:,} of the {sealed.size:,} bytes of {name}"
    try:
        whole = sha256_of(file) == sealed.sha256
    except OSError:
        return f"has a {name} that can't be read"
    return "" if whole else f"has a {name} that was changed or damaged"


def _remove(folder: Path) -> None:
    """Take a folder's name away first, so that half of it is never found."""
    doomed = folder.with_name(f".{folder.name}-old.unfinished-{os.getpid()}")
    with contextlib.suppress(OSError):
        folder.rename(doomed)
        passing("rotate.renamed")
        shutil.rmtree(doomed, ignore_errors=True)
