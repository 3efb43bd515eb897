"""What an inspection leaves of a data set: where each row is, and how long.

An index is a folder of its own in the cache, named by a digest of all that decides
what is in it. Its numbers lie in array files of fixed width, so that the window reads
a million rows' places in an instant.
"""

import hashlib
import json
import shutil
import sys
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Self

import msgspec

from studio.domain.data_checks.all_checks import CheckSettings
from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_report import DataReport
from studio.domain.dataset import ChatFile, RowError
from studio.domain.recipe import Recipe
from studio.domain.token_lengths import TokenLengths
from studio.protocol.codec import decode_event, encode
from studio.protocol.data_events import DataInspected
from studio.protocol.data_words import heard_report, told_report
from studio.storage.chat_files import Collected, checked_file
from studio.storage.data_reading import Choice, open_data
from studio.storage.models import ModelPlace
from studio.storage.tables.opening import Folder, open_table
from studio.storage.tables.table import RawRow

VERSION: Final = 2
"""Of what an index holds; another one is made anew."""
KEPT: Final = 12
"""Indexes that are kept, the newest."""

_LINES: Final = "lines.u32"
_PLACES: Final = "places.u64"
_TOKENS: Final = "tokens.u32"
_LENGTHS: Final = "lengths.u32"
_GROUPS: Final = "groups.u64"
_REPORT: Final = "report.json"
_OTHERS: Final = "others.json"
_WIDTHS: Final = {".u32": "I", ".u64": "Q"}
_TOKENIZER_FILES: Final = (
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "chat_template.jinja",
    "config.json",
)


class _Others(msgspec.Struct, frozen=True, kw_only=True):
    """What else a `Collected` holds."""

    faults: dict[str, tuple[list[str], int]]
    left_out: int
    alone: int
    unreviewed: int


@dataclass(slots=True)
class IndexDraft:
    """An index while the rows go by.

    Attributes:
        collected: The rows that are examples, and why the others are none.
        tokens: Of each example; 0 for one that the model's template refuses, and
            throughout without a model.
    """

    collected: Collected
    tokens: "array[int]" = field(default_factory=lambda: array("I"))

    @classmethod
    def of(cls, choice: Choice) -> Self:
        """An index without rows."""
        return cls(Collected(keeps=False, grouped=bool(choice.group)))

    def add(self, raw: RawRow, row: CheckedRow) -> None:
        """Take the next row, as read and as checked."""
        if row.chat is None:
            self.collected.add(raw, RowError(row.fault, row.code))
            return
        self.collected.add(raw, row.chat)
        self.tokens.append(0 if row.tokens is None else row.tokens.count)

    def write(self, folder: Path, report: DataReport, final: Path) -> None:
        """Write all of it.

        Args:
            folder: An empty one.
            report: Of the whole data set.
            final: Where the folder will lie.

        Raises:
            OSError: The disk refuses.
        """
        collected = self.collected
        _write(folder / _PLACES, collected.places)
        _write(folder / _LINES, collected.lines)
        _write(folder / _TOKENS, self.tokens)
        _write(folder / _LENGTHS, report.lengths.tokens)
        _write(folder / _GROUPS, collected.groups)
        others = _Others(
            faults={
                why: ([each for each in places if each], len(places))
                for why, places in collected.faults.items()
            },
            left_out=collected.left_out,
            alone=collected.alone,
            unreviewed=collected.unreviewed,
        )
        (folder / _OTHERS).write_bytes(msgspec.json.encode(others))
        (folder / _REPORT).write_bytes(encode(told_report(report, str(final))))


@dataclass(frozen=True, slots=True)
class DataIndex:
    """An index that lies in the cache."""

    folder: Path

    def report(self) -> DataReport:
        """The data set's report.

        Raises:
            OSError: It can't be read.
            ValueError: It is no such report.
        """
        return report_of(self._told())

    def tokens(self) -> Sequence[int]:
        """Of each usable row, in file order; 0 for one that the template refuses.

        Empty when no tokenizer counted.

        Raises:
            OSError: The index can't be read.
            ValueError: It is no index.
        """
        return _read(self.folder / _TOKENS) if self._told().counted else ()

    def chat_file(self, path: Path, choice: Choice) -> ChatFile:
        """The data file, whole, its rows on the disk.

        Args:
            path: The file.
            choice: How its rows are read.

        Raises:
            StudioError: The file can't be opened, or no row of it can be trained on.
            OSError: The index can't be read.
            ValueError: It is no index.
        """
        others = msgspec.json.decode((self.folder / _OTHERS).read_bytes(), type=_Others)
        collected = Collected(keeps=False, grouped=bool(choice.group))
        collected.places = _read(self.folder / _PLACES)
        collected.lines = _read(self.folder / _LINES)
        collected.groups = _read(self.folder / _GROUPS)
        collected.faults = {
            why: [*places, *[""] * (count - len(places))]
            for why, (places, count) in others.faults.items()
        }
        collected.left_out = others.left_out
        collected.alone, collected.unreviewed = others.alone, others.unreviewed
        lengths = _lengths_of(self.folder, counted=self._told().counted)
        reading = open_data(path, choice)
        return checked_file(reading, collected, is_whole=True, lengths=lengths)

    def _told(self) -> DataInspected:
        event = decode_event((self.folder / _REPORT).read_bytes())
        if not isinstance(event, DataInspected):
            raise ValueError("it is another event")  # noqa: TRY004 - of the file
        return event


def report_of(message: DataInspected) -> DataReport:
    """A report as the engine told it, its lengths read from its index.

    Raises:
        OSError: The index can't be read.
    """
    if not message.index:
        return heard_report(message, TokenLengths(counted=message.counted))
    lengths = _lengths_of(Path(message.index), counted=message.counted)
    return heard_report(message, lengths)


def find_index(root: Path, key: str) -> DataIndex | None:
    """An index that was made before; None when there is none."""
    folder = root / key
    try:
        if (folder / _REPORT).is_file():
            folder.touch()  # so that what is used is kept
            return DataIndex(folder)
    except OSError:
        pass
    return None


def let_old_go(root: Path, kept: int = KEPT) -> None:
    """Remove all but the newest indexes."""
    try:
        folders = [each for each in root.iterdir() if not each.name.startswith(".")]
        folders.sort(key=lambda each: each.stat().st_mtime, reverse=True)
    except OSError:
        return
    for folder in folders[kept:]:
        shutil.rmtree(folder, ignore_errors=True)


def key_of(recipe: Recipe, place: ModelPlace | None) -> str:
    """The name of the index of a recipe's data as it is now.

    Args:
        recipe: Names the data and how it is read, and says what is checked.
        place: The model whose tokenizer counts; None without one.

    Raises:
        OSError: The data can't be looked at.
        StudioError: The folder holds no data file.
    """
    data = recipe.data
    told = {
        "version": VERSION,
        "files": [_state_of(file) for file in _files_of(Path(data.path).expanduser())],
        "choice": [data.format, data.columns, data.group, data.loss_on],
        "tokenizer": [] if place is None else _tokenizer_of(place),
        "held out": [_state_of(file) for file in _held_out_files(data.held_out_file)],
        "settings": asdict(CheckSettings.of(recipe)),
    }
    written = json.dumps(told, sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()[:32]


def _files_of(path: Path) -> Sequence[Path]:
    if not path.is_dir():
        return (path.absolute(),)
    folder = open_table(path)
    return [f.path for f in folder.files] if isinstance(folder, Folder) else ()


def _held_out_files(path: str) -> Sequence[Path]:
    return _files_of(Path(path).expanduser()) if path else ()


def _tokenizer_of(place: ModelPlace) -> list[object]:
    found: list[object] = [place.name]
    folder = place.folder
    files = [] if folder is None else [folder / name for name in _TOKENIZER_FILES]
    if place.gguf is not None:
        files.append(place.gguf)
    return [*found, *(_state_of(file) for file in files if file.is_file())]


def _state_of(file: Path) -> tuple[str, int, int]:
    status = file.stat()
    return str(file.absolute()), status.st_size, status.st_mtime_ns


def _lengths_of(folder: Path, *, counted: bool) -> TokenLengths:
    return TokenLengths(tuple(_read(folder / _LENGTHS)), counted=counted)


def _write(file: Path, numbers: Sequence[int]) -> None:
    kept = array(_WIDTHS[file.suffix], numbers)
    if sys.byteorder == "big":
        kept.byteswap()
    file.write_bytes(kept.tobytes())


def _read(file: Path) -> "array[int]":
    kept = array(_WIDTHS[file.suffix])
    kept.frombytes(file.read_bytes())
    if sys.byteorder == "big":
        kept.byteswap()
    return kept
