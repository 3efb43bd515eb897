"""Which kind of table a path is: by what its bytes are, then by its name."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from studio.domain.errors import StudioError, refusal
from studio.domain.hub_names import PREFIX, is_hub_word
from studio.storage.disk import unreadable
from studio.storage.tables.columnar import Arrow, Parquet
from studio.storage.tables.delimited import Delimited
from studio.storage.tables.documents import Document
from studio.storage.tables.json_array import JsonArray
from studio.storage.tables.json_lines import JsonLines
from studio.storage.tables.json_object import JsonObject
from studio.storage.tables.table import RawRow, Table

_Opener = Callable[[Path, int], Table]

_BY_NAME: Final[dict[str, _Opener]] = {
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".json": JsonLines,
    ".csv": Delimited,
    ".tsv": Delimited,
    ".tab": Delimited,
    ".parquet": Parquet,
    ".arrow": Arrow,
    ".feather": Arrow,
    ".txt": Document,
    ".md": Document,
}
SUFFIXES: Final = tuple(_BY_NAME)
"""The names' endings that are taken out of a folder."""

_PICKLE: Final = "a Python pickle", "Pickles are never opened: save it as JSON."
_FOREIGN: Final = {
    b"PK\x03\x04": ("a ZIP archive or an Excel file", "Unpack it, or save it as CSV."),
    b"\x1f\x8b": ("compressed by gzip", "Unpack it first."),
    b"BZh": ("compressed by bzip2", "Unpack it first."),
    b"\xfd7zXZ": ("compressed by xz", "Unpack it first."),
    b"\x28\xb5\x2f\xfd": ("compressed by Zstandard", "Unpack it first."),
    b"\xd0\xcf\x11\xe0": ("an old Excel or Word file", "Save it as CSV or text."),
    b"%PDF": ("a PDF file", "Save its text as a text file."),
    b"SQLite format 3": ("a SQLite database", "Export the table as CSV."),
    b"\x80\x02": _PICKLE,
    b"\x80\x03": _PICKLE,
    b"\x80\x04\x95": _PICKLE,
    b"\x80\x05\x95": _PICKLE,
}
_MOST_FILES: Final = 10_000
_MOST_SEEN: Final = 100_000
_FILE_SHIFT: Final = 48  # above any place within a file; both together fit 64 bits
_LOOKED_AT: Final = 65_536


def open_table(path: Path) -> Table:
    """Open a file or a folder of rows.

    Args:
        path: JSON Lines, JSON, CSV or TSV, Parquet, Arrow, plain text, or a folder.

    Raises:
        StudioError: There is none, it can't be read, or it is of no such kind.
    """
    try:
        if path.is_dir():
            return _open_folder(path)
        return _open_file(path)
    except FileNotFoundError:
        raise missing(path) from None
    except OSError as fault:
        raise unreadable(fault, path) from fault


def missing(path: Path) -> StudioError:
    """A refusal of a path that leads nowhere."""
    if is_hub_word(path.as_posix()):
        word = path.as_posix()
        return refusal(
            "data.not-fetched",
            f"The data set {word.removeprefix(PREFIX)} is not on this machine yet.",
            fix=f"Fetch it by snugtune data fetch {word}.",
            where="data.path",
        )
    return refusal(
        "data.missing",
        "There is no such data file.",
        fix="Check the path, or choose another file.",
        where=str(path),
    )


@dataclass(frozen=True, slots=True)
class Folder:
    """Several files as one table, in the order of their names."""

    path: Path
    files: tuple[Table, ...]

    @property
    def size_bytes(self) -> int:
        """The size of its files."""
        return sum(file.size_bytes for file in self.files)

    def rows(self) -> Iterator[RawRow]:
        """The rows of all files."""
        for number, file in enumerate(self.files):
            name = file.path.relative_to(self.path).as_posix()
            for row in file.rows():
                yield replace(row, place=number << _FILE_SHIFT | row.place, file=name)

    def name_of(self, place: int) -> str:
        """The name of the file that a row is in."""
        file = self.files[place >> _FILE_SHIFT]
        return file.path.relative_to(self.path).as_posix()

    def row_at(self, place: int) -> object:
        """A row by its place."""
        number, within = place >> _FILE_SHIFT, place & ((1 << _FILE_SHIFT) - 1)
        return self.files[number].row_at(within)


def _open_folder(path: Path) -> Table:
    found = sorted(islice(_data_files(path), _MOST_FILES + 1))
    if not found or len(found) > _MOST_FILES:
        some = f"more than {_MOST_FILES:,} data files" if found else "no data file"
        raise refusal(
            "data.folder",
            f"The folder holds {some}.",
            fix=f"Choose a folder with files that end in {', '.join(SUFFIXES)}.",
            where=str(path),
        )
    return Folder(path, tuple(_open_file(each) for each in found))


def _data_files(path: Path) -> Iterator[Path]:
    """The data files of a folder and its folders, neither hidden nor linked.

    Raises:
        StudioError: There is so much else in them that this is no folder of data.
    """
    seen = 0
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        seen += len(files)
        if seen > _MOST_SEEN:
            raise refusal(
                "data.folder",
                f"The folder holds more than {_MOST_SEEN:,} files.",
                fix="Choose the folder in it that holds the data.",
                where=str(path),
            )
        for name in files:
            file = Path(folder, name)
            known = file.suffix.casefold() in _BY_NAME and not name.startswith(".")
            if known and file.is_file() and not file.is_symlink():
                yield file


def _open_file(path: Path) -> Table:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_LOOKED_AT)
    for mark, (kind, fix) in _FOREIGN.items():
        if start.startswith(mark):
            raise refusal("data.kind", f"The file is {kind}.", fix=fix, where=str(path))
    return _opener_of(path, start)(path, size)


def _opener_of(path: Path, start: bytes) -> _Opener:
    if start.startswith(b"PAR1"):
        return Parquet
    if start.startswith(b"ARROW1"):
        return Arrow
    named = _BY_NAME.get(path.suffix.casefold())
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if named is not None and named is not JsonLines:
        return named
    if text.startswith(b"["):
        return JsonArray
    if text.startswith(b"{") and path.suffix == ".json" and _is_one_object(text):
        return JsonObject
    return JsonLines


def _is_one_object(text: bytes) -> bool:
    """Whether a text is one object, and not an object a line."""
    first, _, rest = text.partition(b"\n")
    return first.rstrip()[-1:] not in {b"}", b""} or not rest.strip()
