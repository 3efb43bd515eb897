"""CSV and its kin: a header, then a record a row, with any of the usual separators."""

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from studio.domain.errors import refusal
from studio.storage.tables.table import LONGEST_ROW, RawRow, changed
from studio.storage.tables.text_lines import Line, lines_of

_SEPARATORS: Final = ",;\t|"
_LOOKED_AT: Final = 20
_LONGEST_RECORD: Final = 500  # lines
BROKEN_QUOTES: Final = "has a quotation mark that breaks its fields"

csv.field_size_limit(LONGEST_ROW)


@dataclass(slots=True)
class Delimited:
    """A file of separated values, its first record the columns' names."""

    path: Path
    size_bytes: int
    _known: tuple[str, Sequence[str]] | None = None

    def rows(self) -> Iterator[RawRow]:
        """Each record behind the header, with the line that it begins on."""
        separator, header = self._shape()
        with self.path.open("rb") as file:
            records = _records(lines_of(file, self.path), self.path, separator)
            next(records, None)
            for place, line, fields, fault in records:
                yield _row_of(place, line, fields, fault, header)

    def row_at(self, place: int) -> object:
        """The record that begins at a byte."""
        separator, header = self._shape()
        with self.path.open("rb") as file:
            file.seek(place)
            lines = iter(lambda: file.readline(LONGEST_ROW), b"")
            some = (Line(0, 0, raw) for raw in lines)
            for _, line, fields, fault in _records(some, self.path, separator):
                row = _row_of(place, line, fields, fault, header)
                if row.fault:
                    break
                return row.value
        raise changed(self.path)

    def _shape(self) -> tuple[str, Sequence[str]]:
        """The separator and the columns' names."""
        if self._known is None:
            separator = self._separator()
            self._known = separator, self._header(separator)
        return self._known

    def _separator(self) -> str:
        best, most = ",", 0
        for separator in _SEPARATORS:
            counts = [len(fields) for fields in self._first(separator)]
            if counts and counts[0] > 1:
                alike = sum(count == counts[0] for count in counts) * counts[0]
                if alike > most:
                    best, most = separator, alike
        return best

    def _first(self, separator: str) -> list[list[str]]:
        with self.path.open("rb") as file:
            found = []
            records = _records(lines_of(file, self.path), self.path, separator)
            for _, _, fields, _ in records:
                found.append(fields)
                if len(found) == _LOOKED_AT:
                    break
            return found

    def _header(self, separator: str) -> Sequence[str]:
        first = next(iter(self._first(separator)), [])
        names = [name.strip() for name in first]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            named = (
                f"names “{twice}” twice" if twice else "leaves several columns unnamed"
            )
            raise refusal(
                "data.header",
                f"The header {named}.",
                why="What a column holds can't be told from its name.",
                fix="Give each column a name of its own in the first line.",
                where=f"{self.path}, line 1",
            )
        return names


_Record = tuple[int, int, list[str], str]


class _Feed:
    """Lines for one record after the other; a broken record's can be read again."""

    def __init__(self, lines: Iterator[Line], path: Path) -> None:
        self._lines, self._path = lines, path
        self._again: deque[Line] = deque()
        self.taken: list[Line] = []

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        if len(self.taken) == _LONGEST_RECORD:
            raise StopIteration  # a quotation mark was opened and never closed
        line = self._again.popleft() if self._again else next(self._lines)
        self.taken.append(line)
        return line.text(self._path)

    def put_back(self) -> None:
        """Read the record's lines again, save the first."""
        self._again.extendleft(reversed(self.taken[1:]))


def _records(lines: Iterator[Line], path: Path, separator: str) -> Iterator[_Record]:
    """Each record: its first byte, its first line, its fields or its fault."""
    feed = _Feed(lines, path)
    reader = csv.reader(feed, delimiter=separator, strict=True)
    while True:
        feed.taken.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            first = feed.taken[0]
            feed.put_back()
            reader = csv.reader(feed, delimiter=separator, strict=True)
            yield first.at, first.number, [], BROKEN_QUOTES
            continue
        if fields:
            yield feed.taken[0].at, feed.taken[0].number, fields, ""


def _row_of(
    place: int, line: int, fields: list[str], fault: str, header: Sequence[str]
) -> RawRow:
    if not fault and len(fields) != len(header):
        count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        fault = f"has {count} where the header has {len(header)}"
    if fault:
        return RawRow(line, fault=fault, place=place)
    return RawRow(line, dict(zip(header, fields, strict=True)), place=place)
