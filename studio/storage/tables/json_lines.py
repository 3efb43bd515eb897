"""JSON Lines: one value a line. A line that is no JSON is a fault of its own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from studio.storage.tables.table import LONGEST_ROW, RawRow, changed
from studio.storage.tables.text_lines import Line, lines_of

_DECODER = msgspec.json.Decoder()
NOT_JSON = "is not valid JSON"


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A file of JSON Lines."""

    path: Path
    size_bytes: int

    def rows(self) -> Iterator[RawRow]:
        """Each line that isn't blank."""
        with self.path.open("rb") as file:
            for line in lines_of(file, self.path):
                if not line.raw.isspace():
                    yield _row_of(line, self.path)

    def row_at(self, place: int) -> object:
        """The value of the line that begins at a byte."""
        with self.path.open("rb") as file:
            file.seek(place)
            raw = file.readline(LONGEST_ROW)
        try:
            return _DECODER.decode(raw)
        except (msgspec.DecodeError, RecursionError, ValueError):
            raise changed(self.path) from None


def _row_of(line: Line, path: Path) -> RawRow:
    try:
        value = _DECODER.decode(line.raw)
    except (msgspec.DecodeError, RecursionError, ValueError):
        line.text(path)  # another encoding is told as such
        return RawRow(line.number, fault=NOT_JSON, place=line.at)
    return RawRow(line.number, value, place=line.at)
