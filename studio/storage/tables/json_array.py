"""A JSON array of rows, read piece by piece; and an object that holds one."""

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from studio.domain.errors import StudioError, refusal
from studio.storage.tables.table import LONGEST_ROW, RawRow, changed, not_utf8
from studio.storage.tables.text_lines import start_of_text

_PIECE: Final = 1 << 18
_SPACE: Final = " \t\r\n"
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class JsonArray:
    """A file that is one JSON array."""

    path: Path
    size_bytes: int

    def rows(self) -> Iterator[RawRow]:
        """Each element, with the line that it begins on."""
        with self.path.open("rb") as file:
            text = _Text(file, self.path, start_of_text(file, self.path))
            yield from _elements(text)

    def row_at(self, place: int) -> object:
        """The element that begins at a byte."""
        with self.path.open("rb") as file:
            text = _Text(file, self.path, place)
            try:
                return text.value()
            except StudioError:
                raise changed(self.path) from None


def _elements(text: "_Text") -> Iterator[RawRow]:
    text.expect("[")
    if text.peek() == "]":
        text.expect("]")
    else:
        while True:
            line, place = text.line, text.place
            yield RawRow(line, text.value(), place=place)
            if text.peek() == "]":
                text.expect("]")
                break
            text.expect(",")
            text.peek()
    if text.peek():
        raise text.broken()


@dataclass(slots=True)
class _Text:
    """The text of a file from a byte on, of which a piece is held.

    Attributes:
        file: Open for reading bytes.
        path: Its path.
        place: The byte of the character that is next.
        line: Its line, counted from where reading began.
    """

    file: BinaryIO
    path: Path
    place: int
    line: int = 1
    _held: str = ""
    _at: int = 0
    _is_over: bool = False
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=codecs.getincrementaldecoder("utf-8")
    )

    def __post_init__(self) -> None:
        self.file.seek(self.place)

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            end = self._at
            while end < len(self._held) and self._held[end] in _SPACE:
                end += 1
            self._pass(end)
            if self._at < len(self._held) or not self._fetch(_PIECE):
                return self._held[self._at : self._at + 1]

    def expect(self, character: str) -> None:
        """Pass a character.

        Raises:
            StudioError: Another one is next.
        """
        if self.peek() != character:
            raise self.broken()
        self._pass(self._at + 1)

    def value(self) -> object:
        """Pass a value.

        Raises:
            StudioError: There is none.
        """
        self.peek()
        piece = _PIECE
        while True:
            try:
                value, end = _DECODER.raw_decode(self._held, self._at)
            except RecursionError:
                raise self.broken() from None
            except ValueError:
                end = len(self._held)
                value = None
            # A value that ends with what is held may go on behind it.
            if end < len(self._held):
                self._pass(end)
                return value
            if len(self._held) - self._at > LONGEST_ROW or not self._fetch(piece):
                return self._last_value()
            piece *= 2

    def broken(self) -> StudioError:
        """A refusal of the file at this line."""
        return refusal(
            "data.json",
            f"The JSON array breaks off or is malformed near line {self.line:,}.",
            fix="Mend it there, or write one JSON object a line instead.",
            where=str(self.path),
        )

    def _last_value(self) -> object:
        try:
            value, end = _DECODER.raw_decode(self._held, self._at)
        except (ValueError, RecursionError):
            raise self.broken() from None
        self._pass(end)
        return value

    def _pass(self, end: int) -> None:
        passed = self._held[self._at : end]
        self.line += passed.count("\n")
        self.place += len(passed.encode())
        self._at = end

    def _fetch(self, size: int) -> bool:
        """Hold more of the text; False when there is none."""
        if self._is_over:
            return False
        raw = self.file.read(size)
        self._is_over = not raw
        try:
            more = self._decoder.decode(raw, final=self._is_over)
        except UnicodeDecodeError as fault:
            line = self.line + self._held.count("\n", self._at)
            line += fault.object.count(b"\n", 0, fault.start)
            raise not_utf8(self.path, f"line {line:,} breaks it") from None
        self._held, self._at = self._held[self._at :] + more, 0
        return bool(more) or not self._is_over
