"""The one reader of data files: window and engine see the same rows.

JSON Lines are read line by line, a JSON array as a whole. A row that can't be trained
on is told with its line and left out; the others are kept.
"""

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import msgspec

from studio.domain.dataset import Chat, ChatFile, RowError, chat_from_row, form_of_row
from studio.domain.errors import StudioError, refusal
from studio.domain.finding import Finding, warning
from studio.storage.disk import unreadable

_NAMED_LINES = 10
_MOST_REASONS = 50
_FOREIGN_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the file: its value, or why it has none."""

    line: int
    value: object = None
    fault: str = ""


@dataclass(slots=True)
class _Collected:
    """What was read so far."""

    chats: list[Chat] = field(default_factory=list)
    faults: dict[str, list[int]] = field(default_factory=dict)
    form: str = ""

    def take(self, row: _Row) -> None:
        """Keep a row, or remember why it can't be kept."""
        try:
            chat = _chat_of(row)
        except RowError as fault:
            self.faults.setdefault(str(fault), []).append(row.line)
            return
        if not self.chats and isinstance(row.value, dict):
            self.form = form_of_row(row.value)
        self.chats.append(chat)


def read_chats(path: Path) -> ChatFile:
    """Read a file of chats.

    Args:
        path: JSON Lines or a JSON array, in UTF-8; a byte order mark is accepted.

    Returns:
        The rows that can be trained on, and findings about the others.

    Raises:
        StudioError: No such file, a folder, empty, not UTF-8, an array that breaks
            off, or not a single row to train on.
    """
    if path.is_dir():
        raise refusal(
            "data.missing",
            "This is a folder, not a data file.",
            fix="Name the file of chats in it.",
            where=str(path),
        )
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            collected = _collect(file, path)
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as fault:
        raise unreadable(fault, path) from fault
    return _checked(collected, path, size)


def _collect(file: BinaryIO, path: Path) -> _Collected:
    collected = _Collected()
    for row in _rows(file, path):
        collected.take(row)
    return collected


def _rows(file: BinaryIO, path: Path) -> Iterator[_Row]:
    start = file.read(4)
    for mark, encoding in _FOREIGN_MARKS.items():
        if start.startswith(mark):
            raise _not_utf8(path, f"it is {encoding}")
    file.seek(len(codecs.BOM_UTF8) if start.startswith(codecs.BOM_UTF8) else 0)
    skipped, first = _first_full_line(file)
    if first.lstrip().startswith(b"["):
        text = _decoded(first + file.read(), path, skipped + 1)
        yield from _rows_of_array(text, skipped, path)
        return
    lines = enumerate(chain([first], file), start=skipped + 1)
    for number, line in lines:
        if line.strip():
            yield _row_of_line(_decoded(line, path, number), number)


def _first_full_line(file: BinaryIO) -> tuple[int, bytes]:
    skipped = 0
    for line in file:
        if line.strip():
            return skipped, line
        skipped += 1
    return skipped, b""


def _row_of_line(line: str, number: int) -> _Row:
    try:
        return _Row(number, msgspec.json.decode(line))
    except (msgspec.DecodeError, RecursionError, ValueError):
        return _Row(number, fault="is not valid JSON")


def _rows_of_array(text: str, skipped: int, path: Path) -> Iterator[_Row]:
    decoder = json.JSONDecoder()
    line, counted = skipped + 1, 0
    at = _after_space(text, text.index("[") + 1)
    while at < len(text) and text[at] != "]":
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            raise _broken_array(path, line) from None
        yield _Row(line, value)
        at = _after_space(text, end)
        if text[at : at + 1] == ",":
            at = _after_space(text, at + 1)
        elif text[at : at + 1] != "]":
            raise _broken_array(path, line)
    if at >= len(text) or text[at + 1 :].strip():
        raise _broken_array(path, line)


def _after_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _decoded(line: bytes, path: Path, number: int) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as fault:
        number += line.count(b"\n", 0, fault.start)
        raise _not_utf8(path, f"line {number:,} breaks it") from None


def _chat_of(row: _Row) -> Chat:
    if row.fault:
        raise RowError(row.fault)
    chat = chat_from_row(row.value, row.line)
    for turn in chat.turns:
        try:
            turn.content.encode()
        except UnicodeEncodeError:
            raise RowError("has half a character (a lone surrogate)") from None
    return chat


def _checked(collected: _Collected, path: Path, size: int) -> ChatFile:
    chats, faults = collected.chats, collected.faults
    if not chats and not faults:
        raise refusal(
            "data.empty",
            "The file holds no rows.",
            fix="Choose a file with at least one chat.",
            where=str(path),
        )
    if not chats:
        reason, lines = next(iter(faults.items()))
        raise refusal(
            "data.no-usable-row",
            f"None of the {sum(map(len, faults.values())):,} rows can be trained on: "
            f"line {lines[0]:,} {reason}.",
            fix='Write one JSON object a line, such as {"messages": [{"role": "user", '
            '"content": "…"}, {"role": "assistant", "content": "…"}]}.',
            where=str(path),
        )
    findings = tuple(
        _told(reason, lines, len(chats))
        for reason, lines in list(faults.items())[:_MOST_REASONS]
    )
    left_out = sum(map(len, faults.values()))
    return ChatFile(str(path), tuple(chats), findings, size, collected.form, left_out)


def _told(reason: str, lines: list[int], kept: int) -> Finding:
    named = ", ".join(f"{line:,}" for line in lines[:_NAMED_LINES])
    if len(lines) == 1:
        what = f"Line {named} {reason}."
    else:
        more = len(lines) - _NAMED_LINES
        others = f" and {more:,} more" if more > 0 else ""
        what = f"{len(lines):,} rows are left out: each {reason} ({named}{others})."
    return warning(
        "data.row",
        what,
        why=f"The other {kept:,} rows are read and kept.",
        fix="Mend the rows in the file, or train without them.",
        where=f"line {lines[0]:,}",
    )


def _missing(path: Path) -> StudioError:
    return refusal(
        "data.missing",
        "There is no such data file.",
        fix="Check the path, or choose another file.",
        where=str(path),
    )


def _not_utf8(path: Path, why: str) -> StudioError:
    return refusal(
        "data.encoding",
        f"The file is not UTF-8 text: {why}.",
        fix="Save it again with the encoding UTF-8.",
        where=str(path),
    )


def _broken_array(path: Path, line: int) -> StudioError:
    return refusal(
        "data.json",
        f"The JSON array breaks off or is malformed near line {line:,}.",
        fix="Mend it there, or write one JSON object a line instead.",
        where=str(path),
    )
