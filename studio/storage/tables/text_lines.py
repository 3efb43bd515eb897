"""The lines of a text file, with their numbers and where they begin."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from studio.storage.tables.table import LONGEST_ROW, not_utf8, too_long

_FOREIGN_MARKS: Final = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_LOOKED_AT: Final = 4096
_NULS_OF_UTF_16: Final = 4  # every second byte of a Latin text; a quarter is enough


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    Attributes:
        number: From 1.
        at: Its first byte's place in the file.
        raw: Its bytes, line break included.
    """

    number: int
    at: int
    raw: bytes

    def text(self, path: Path) -> str:
        """Its text.

        Raises:
            StudioError: It is not UTF-8.
        """
        return decoded(self.raw, path, self.number)


def lines_of(file: BinaryIO, path: Path) -> Iterator[Line]:
    """The lines of a file, behind its byte order mark.

    Raises:
        StudioError: It is in another encoding, or has a line without an end.
    """
    at = start_of_text(file, path)
    file.seek(at)
    number = 0
    while raw := file.readline(LONGEST_ROW):
        number += 1
        if len(raw) == LONGEST_ROW and not raw.endswith(b"\n"):
            raise too_long(path, number)
        yield Line(number, at, raw)
        at += len(raw)


def start_of_text(file: BinaryIO, path: Path) -> int:
    """Where a file's text begins: 0, or behind its byte order mark.

    Raises:
        StudioError: It is in another encoding, or no text at all.
    """
    file.seek(0)
    start = file.read(_LOOKED_AT)
    for mark, encoding in _FOREIGN_MARKS.items():
        if start.startswith(mark):
            raise not_utf8(path, f"it is {encoding}")
    if start.count(0) * _NULS_OF_UTF_16 > len(start):
        raise not_utf8(path, "it is UTF-16 without a mark, or no text at all")
    return len(codecs.BOM_UTF8) if start.startswith(codecs.BOM_UTF8) else 0


def decoded(raw: bytes, path: Path, number: int) -> str:
    """The text of some bytes that begin with a line of this number.

    Raises:
        StudioError: They are not UTF-8.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError as fault:
        number += raw.count(b"\n", 0, fault.start)
        raise not_utf8(path, f"line {number:,} breaks it") from None
