"""All readers of documents, and the documents of files and folders."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from studio.domain.errors import StudioError, refusal
from studio.plugin_api.document_readers import DocumentReader, Passage
from studio.storage.disk import unreadable
from studio.storage.document_readers.markdown import Markdown
from studio.storage.document_readers.plain import PlainText

READERS: Final[tuple[DocumentReader, ...]] = (PlainText(), Markdown())

_MOST_FILES: Final = 10_000
_MOST_SEEN: Final = 100_000


def suffixes() -> tuple[str, ...]:
    """The names' endings that some reader knows."""
    return tuple(suffix for reader in READERS for suffix in reader.suffixes)


def documents_in(paths: Sequence[Path]) -> list[Path]:
    """The documents that some files and folders are or hold.

    Folders are gone through to their bottom; hidden files, links and files of other
    kinds in them are passed over.

    Args:
        paths: Files, which must be of a known kind, and folders.

    Returns:
        Absolute paths, each once; a folder's in the order of their names.

    Raises:
        StudioError: A path leads nowhere, is of no known kind, or there is no document.
    """
    found: dict[Path, None] = {}
    for path in paths:
        place = path.expanduser().absolute()
        for document in _in_folder(place) if place.is_dir() else (_known(place),):
            found[document] = None
    if not found:
        raise refusal(
            "documents.none",
            "There is no document to make examples from.",
            fix=f"Choose files that end in {', '.join(suffixes())}, or their folder.",
            where=", ".join(map(str, paths)),
        )
    return list(found)


def passages_of_document(path: Path) -> Iterator[Passage]:
    """The passages of a document.

    Raises:
        StudioError: It can't be read.
    """
    reader = _reader_of(path)
    try:
        yield from reader.passages(path)
    except OSError as fault:
        raise unreadable(fault, path) from fault


def _reader_of(path: Path) -> DocumentReader:
    suffix = path.suffix.casefold()
    for reader in READERS:
        if suffix in reader.suffixes:
            return reader
    raise refusal(
        "documents.kind",
        f"No reader knows documents that end in “{path.suffix}”.",
        fix=f"Save its text in a file that ends in {', '.join(suffixes())}.",
        where=str(path),
    )


def _known(path: Path) -> Path:
    if not path.exists():
        raise refusal(
            "documents.missing",
            "There is no such document.",
            fix="Check the path.",
            where=str(path),
        )
    _reader_of(path)
    return path


def _in_folder(folder: Path) -> list[Path]:
    found = sorted(islice(_walked(folder), _MOST_FILES + 1))
    if len(found) > _MOST_FILES:
        raise _too_much(folder, f"{_MOST_FILES:,} documents")
    return found


def _walked(folder: Path) -> Iterator[Path]:
    known, seen = set(suffixes()), 0
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        seen += len(files)
        if seen > _MOST_SEEN:
            raise _too_much(folder, f"{_MOST_SEEN:,} files")
        for name in files:
            file = Path(place, name)
            named = file.suffix.casefold() in known and not name.startswith(".")
            if named and file.is_file() and not file.is_symlink():
                yield file


def _too_much(folder: Path, most: str) -> StudioError:
    return refusal(
        "documents.folder",
        f"The folder holds more than {most}.",
        fix="Choose a folder in it.",
        where=str(folder),
    )
