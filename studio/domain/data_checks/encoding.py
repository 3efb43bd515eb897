"""Text that was read in a wrong encoding once, and characters that no text has.

UTF-8 bytes read as Windows-1252 or Latin-1 make two to four characters of one, such
as ``Ã¤`` of ``ä``. Where such characters turned back into bytes are UTF-8, and where
they can't be meant as they stand, they are put right.
"""

import re
from collections.abc import Iterator
from typing import Final

from studio.domain.data_checks.chat_texts import until_stable
from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.words import Places, told
from studio.domain.data_report import DataFinding

_LOST: Final = "\ufffd"
_C1: Final = range(0x80, 0xA0)


def _read_as(byte: int) -> str:
    """What Windows-1252 makes of a byte; Latin-1 where it has nothing there."""
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


_BYTES: Final = {chr(byte): byte for byte in range(0x80, 0x100)} | {
    _read_as(byte): byte for byte in range(0x80, 0x100)
}


def _any_of(first: int, last: int) -> str:
    """A regular expression's set of the characters that such bytes were read as."""
    those = sorted(char for char, byte in _BYTES.items() if first <= byte <= last)
    return f"[{''.join(map(re.escape, those))}]"


_TRAIL: Final = _any_of(0x80, 0xBF)
_TWO: Final = f"{_any_of(0xC2, 0xDF)}{_TRAIL}"
_THREE: Final = f"{_any_of(0xE0, 0xEF)}{_TRAIL}{{2}}"
_FOUR: Final = f"{_any_of(0xF0, 0xF4)}{_TRAIL}{{3}}"
_RUN: Final = re.compile(f"(?:{_FOUR}|{_THREE}|{_TWO})+")
_STRAY: Final = re.compile("[\x80-\x9f]")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff]")
_CONTROLS: Final = re.compile(f"\x1b\\[[0-9;?]*[A-Za-z]|{_CONTROL.pattern}")
_MARK: Final = "ï»¿"  # a byte order mark
# These stand behind a capital letter in sound text too, as quotation marks do.
_USUAL_BEHIND: Final = frozenset("‘’“”«»‹›–—…•™®©°ªº·\xa0")
_NEVER_BEHIND: Final = frozenset("\xa0¡¢£¤¥¦§¨¬\xad¯±²³´µ¶¸¹¼½¾¿ƒˆ‰Š†‡Œ˜šœžŸŽ")


def unmangled(text: str) -> str:
    """A text with what was read in a wrong encoding put right; else the same text."""
    if text.isascii():
        return text
    return until_stable(text, _unmangled_once)


def without_controls(text: str) -> str:
    """A text without control characters; tabs and line breaks stay."""
    return _CONTROLS.sub("", text) if _CONTROL.search(text) else text


class EncodingDamage:
    """Tells of rows whose text was read in a wrong encoding once."""

    def __init__(self) -> None:
        self._places = Places()
        self._example = ""

    def take(self, row: CheckedRow) -> None:
        """Look for damage that can be put right."""
        if not row.text.isascii() and unmangled(row.text) != row.text:
            self._places.add(row)
            self._example = self._example or _first_damage(row.text)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        such = f", such as “{self._example}”" if self._example else ""
        yield from told(
            "data.encoding-damage",
            self._places,
            f"{{rows}} hold text that was read in a wrong encoding once{such}.",
            why="The model would learn to write like that.",
            fix="Put the characters right in a new file.",
        )


class ControlCharacters:
    """Tells of rows with characters that no text has."""

    def __init__(self) -> None:
        self._places = Places()

    def take(self, row: CheckedRow) -> None:
        """Look for control characters."""
        if _CONTROL.search(row.text):
            self._places.add(row)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        yield from told(
            "data.control-characters",
            self._places,
            "{rows} hold control characters, such as NUL or the codes of a terminal.",
            why="The model would learn to write them.",
            fix="Take them out in a new file.",
        )


class LostCharacters:
    """Tells of rows with characters that an earlier program could not read."""

    def __init__(self) -> None:
        self._places = Places()

    def take(self, row: CheckedRow) -> None:
        """Look for replacement characters."""
        if _LOST in row.text:
            self._places.add(row)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        yield from told(
            "data.lost-characters",
            self._places,
            f"{{rows}} hold “{_LOST}”: a program that wrote this file could not read "
            "those characters.",
            why="What they were isn't in the file any more.",
            fix="Make the file anew from its source, read in the right encoding.",
        )


def _unmangled_once(text: str) -> str:
    # What was read wrongly twice has stray characters until both are put right.
    text = until_stable(text, lambda each: _RUN.sub(_put_right, each))
    return _STRAY.sub(_put_stray_right, text)


def _put_stray_right(found: re.Match[str]) -> str:
    """Latin-1 has a control character where Windows-1252 has a quotation mark."""
    meant = _read_as(ord(found[0]))
    return "" if meant == found[0] else meant


def _put_right(run: re.Match[str]) -> str:
    if run[0] == _MARK:
        return ""
    raw = bytes(_BYTES[character] for character in run[0])
    try:
        meant = raw.decode()
    except UnicodeDecodeError:
        return run[0]
    return meant if _is_damage(run, meant) else run[0]


def _is_damage(run: re.Match[str], meant: str) -> bool:
    """Whether characters can't be meant as they stand.

    Args:
        run: Of one or more that would be bytes of UTF-8.
        meant: What they would be then.
    """
    if _has_stray(meant) and not _has_stray(run[0]):
        return False
    if len(meant) > 1 or len(run[0]) == len("ðŸ˜€"):
        return True
    first, second = run[0][0], run[0][1]
    if len(run[0]) == len("â€™"):
        # “cité »” with a no-break space would be a Chinese character; “â€™” is none.
        return first == "â" and _BYTES[second] in _C1
    before = run.string[: run.start()][-1:]
    behind = run.string[run.end() :][:1]
    if first == "Â" or before.islower():
        return True
    if behind.islower() and second not in _USUAL_BEHIND:
        return True
    return first == "Ã" and (
        second in _NEVER_BEHIND or (behind.islower() and second == "–")
    )


def _has_stray(text: str) -> bool:
    return any(ord(character) in _C1 for character in text)


def _first_damage(text: str) -> str:
    """The first damaged characters, as they stand."""
    for run in _RUN.finditer(text):
        if _put_right(run) != run[0]:
            return run[0][:12]
    return ""
