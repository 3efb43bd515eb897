"""What every kind of file gives: its rows one after the other, and any one again."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from studio.domain.errors import StudioError, refusal

LONGEST_ROW: Final = 64 << 20
"""Bytes of a row; a longer one is taken for damage or an attack."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row of a file: its value, or why it has none.

    Attributes:
        line: Its line in a text file, or its number in a table, from 1.
        value: As JSON has it; a mapping of columns where the file has columns.
        fault: Why there is no value, as the end of a sentence.
        place: Where `Table.row_at` finds it again.
        file: Its file's name within a folder; empty for a single file.
    """

    line: int
    value: object = None
    fault: str = ""
    place: int = 0
    file: str = ""


class Table(Protocol):
    """A file, or a folder of files, of rows."""

    @property
    def path(self) -> Path:
        """The file or folder."""

    @property
    def size_bytes(self) -> int:
        """The size of its files."""

    def rows(self) -> Iterator[RawRow]:
        """All rows, in order, holding few of them at a time.

        Raises:
            StudioError: The file can't be read any further.
        """

    def row_at(self, place: int) -> object:
        """The value of a row that `rows` gave before.

        Args:
            place: As the row had it.

        Raises:
            StudioError: The file was changed since.
        """


def not_utf8(path: Path, why: str) -> StudioError:
    """A refusal of a text in another encoding."""
    return refusal(
        "data.encoding",
        f"The file is not UTF-8 text: {why}.",
        fix="Save it again with the encoding UTF-8.",
        where=str(path),
    )


def changed(path: Path) -> StudioError:
    """A refusal of a file that isn't any more what was read."""
    return refusal(
        "data.changed",
        "The file was changed since it was read.",
        fix="Read it again.",
        where=str(path),
    )


def too_long(path: Path, line: int) -> StudioError:
    """A refusal of a row without an end."""
    return refusal(
        "data.row-too-long",
        f"Line {line:,} is longer than {LONGEST_ROW >> 20} MiB.",
        why="No model reads such a row, and the rest of the file can't be trusted.",
        fix="Split the row, or check whether the file's line breaks were lost.",
        where=f"{path}, line {line:,}",
    )
