"""TOML documents that carry a version and are replaced whole or not at all.

A reader never meets half a file: bytes go to a temporary file beside the target,
are synced, and take its place in one step.
"""

import contextlib
import os
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import tomli_w

from studio.domain.errors import StudioError, refusal
from studio.storage.disk import disk_refusal, unreadable
from studio.storage.migrations import MIGRATIONS, Document, current_version


def read_toml(path: Path, kind: str) -> Document:
    """Read a document and lift it to the present version.

    Args:
        path: The file.
        kind: A row of `MIGRATIONS`, such as ``recipe``.

    Returns:
        The document, ``version`` included.

    Raises:
        StudioError: It is missing, unreadable, no TOML, without a version, or was
            written by a newer Snugtune.
    """
    try:
        document: Document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise _missing(path, kind) from None
    except IsADirectoryError:
        raise _is_folder(path, kind) from None
    except OSError as fault:
        raise unreadable(fault, path) from fault
    except UnicodeDecodeError as fault:
        raise _malformed(path, kind, "it is not UTF-8 text") from fault
    except tomllib.TOMLDecodeError as fault:
        raise _malformed(path, kind, str(fault)) from fault
    return _migrated(document, path, kind)


def write_toml_atomically(
    path: Path, kind: str, document: Mapping[str, object]
) -> None:
    """Write a document with the present version of its kind, whole or not at all.

    Args:
        path: The file; its folder is made when it is missing.
        kind: A row of `MIGRATIONS`.
        document: Its content; ``version`` is set here.

    Raises:
        StudioError: The disk is full or may not be written; the old file stays.
    """
    versioned = {"version": current_version(kind)} | {
        key: value for key, value in document.items() if key != "version"
    }
    write_bytes_atomically(path, tomli_w.dumps(versioned).encode())


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Replace a file's content in one step; what was there stays on failure.

    Raises:
        StudioError: The disk is full or may not be written; the old file stays and
            no temporary file is left.
    """
    write_pieces_atomically(path, (content,))


def write_pieces_atomically(path: Path, pieces: Iterable[bytes]) -> None:
    """Replace a file's content, made piece by piece, in one step.

    Args:
        path: The file; its folder is made when it is missing.
        pieces: Its content. An error raised by them leaves what was there as it was;
            an `OSError` is taken for one of writing.

    Raises:
        StudioError: The disk is full or may not be written; the old file stays and
            no temporary file is left.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, pieces)
    except OSError as fault:
        raise disk_refusal(fault, path) from fault


def _replace(path: Path, pieces: Iterable[bytes]) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in a folder last through a power cut, where that can be asked."""
    if os.name == "nt":
        return  # Windows opens no folder for syncing
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _migrated(document: Document, path: Path, kind: str) -> Document:
    version, current = document.get("version"), current_version(kind)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise refusal(
            "document.version",
            f"The {kind} says no version.",
            fix=f"Write version = {current} in its first line.",
            where=str(path),
        )
    if version > current:
        raise refusal(
            "document.newer",
            f"The {kind} was written by a newer Snugtune "
            f"(its version is {version}, this one reads up to {current}).",
            fix="Update Snugtune; the file was left as it is.",
            where=str(path),
        )
    for step in MIGRATIONS[kind][version - 1 :]:
        document = step(document)
    return document | {"version": current}


def _is_folder(path: Path, kind: str) -> StudioError:
    return refusal(
        "document.folder",
        f"This is a folder, not a {kind} file.",
        fix=f"Name the {kind} file in it, such as {path.name}/{kind}.toml.",
        where=str(path),
    )


def _missing(path: Path, kind: str) -> StudioError:
    return refusal(
        "document.missing",
        f"There is no {kind} at this place.",
        fix="Check the path.",
        where=str(path),
    )


def _malformed(path: Path, kind: str, why: str) -> StudioError:
    return refusal(
        "document.malformed",
        f"The {kind} can't be read: {why}.",
        fix="Mend the file, or take one from another run.",
        where=str(path),
    )
