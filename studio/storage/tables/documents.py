"""Plain text: a document cut into rows at its paragraphs, so that none is lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from studio.storage.tables.table import LONGEST_ROW, RawRow, changed
from studio.storage.tables.text_lines import Line, decoded, lines_of

CHARACTERS_A_ROW: Final = 2000


@dataclass(frozen=True, slots=True)
class Document:
    """A file of plain text; each row has one column, ``text``."""

    path: Path
    size_bytes: int

    def rows(self) -> Iterator[RawRow]:
        """Paragraphs, as many together as make a row, with their first line."""
        with self.path.open("rb") as file:
            for held in blocks(lines_of(file, self.path)):
                yield RawRow(held[0].number, self._value(held), place=held[0].at)

    def row_at(self, place: int) -> object:
        """The paragraphs that begin at a byte."""
        with self.path.open("rb") as file:
            file.seek(place)
            lines = iter(lambda: file.readline(LONGEST_ROW), b"")
            for held in blocks(Line(1, 0, raw) for raw in lines):
                return self._value(held)
        raise changed(self.path)

    def _value(self, held: list[Line]) -> object:
        raw = b"".join(line.raw for line in held)
        return {"text": decoded(raw, self.path, held[0].number).strip()}


def blocks(
    lines: Iterator[Line], characters: int = CHARACTERS_A_ROW
) -> Iterator[list[Line]]:
    """Lines in blocks: ended by a blank line once long enough, else by sheer length.

    Args:
        lines: Of a text file.
        characters: A blank line ends a block of half as many; twice as many end it.
    """
    held: list[Line] = []
    size = 0
    for line in lines:
        blank = line.raw.isspace()
        if (blank and size >= characters // 2) or size >= characters * 2:
            yield held
            held, size = [], 0
        if held or not blank:
            held.append(line)
            size += len(line.raw)
    if held:
        yield held
