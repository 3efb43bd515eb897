"""Markdown: the paragraphs under each heading, with the headings above them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from studio.plugin_api.document_readers import Passage
from studio.storage.document_readers.passages import CHARACTERS, passages_of
from studio.storage.tables.documents import blocks
from studio.storage.tables.text_lines import Line, lines_of

_HEADING: Final = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*")
_FENCE: Final = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_IMAGE: Final = re.compile(r"!\[([^\]\n]*)\]\([^)\n]*\)")
_LINK: Final = re.compile(r"\[([^\]\n]+)\]\([^)\n]*\)")
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_BOLD: Final = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_LEFT_OF: Final = {_COMMENT: "", _IMAGE: r"\1", _LINK: r"\1", _BOLD: r"\2"}


@dataclass(frozen=True, slots=True)
class Markdown:
    """Reads ``.md``; links, images, bold type and comments leave their words."""

    name: str = "markdown"
    title: str = "Markdown"
    suffixes: tuple[str, ...] = (".md", ".markdown")

    def passages(self, path: Path) -> Iterator[Passage]:
        """Its paragraphs, never across a heading."""
        with path.open("rb") as file:
            for section in _sections(lines_of(file, path), path):
                for held in blocks(iter(section.lines), CHARACTERS):
                    text = "".join(line.text(path) for line in held)
                    yield from passages_of(
                        _plain(text), held[0].number, section.heading
                    )


@dataclass(slots=True)
class _Section:
    """What stands under one heading."""

    heading: str = ""
    lines: list[Line] = field(default_factory=list)


def _sections(lines: Iterator[Line], path: Path) -> Iterator[_Section]:
    above: dict[int, str] = {}
    section, fence = _Section(), ""
    for line in _behind_front_matter(lines):
        text = line.text(path).rstrip()
        found = None if fence else _HEADING.fullmatch(text)
        fence = _fence_after(fence, text)
        if found is None:
            section.lines.append(line)
            continue
        yield section
        depth = len(found.group(1))
        above = {level: words for level, words in above.items() if level < depth}
        above[depth] = _plain(found.group(2))
        section = _Section(" > ".join(filter(None, above.values())))
    yield section


def _fence_after(fence: str, text: str) -> str:
    """The mark of the code block that is open behind a line; empty outside of one."""
    found = _FENCE.match(text)
    if found is None:
        return fence
    mark = found.group(1)
    if not fence:
        return mark
    closes = mark[0] == fence[0] and len(mark) >= len(fence)
    return "" if closes and text.strip() == mark else fence


def _behind_front_matter(lines: Iterator[Line]) -> Iterator[Line]:
    """All lines but a block of settings between two ``---`` at the very beginning."""
    held: list[Line] = []
    for line in lines:
        mark = line.raw.strip()
        if not held and (line.number > 1 or mark != b"---"):
            yield line
            break
        held.append(line)
        if len(held) > 1 and mark in {b"---", b"..."}:
            held = []
            break
    yield from held  # it was never closed, so it was none
    yield from lines


def _plain(text: str) -> str:
    for pattern, left in (
        (_COMMENT, ""),
        (_IMAGE, r"\1"),
        (_LINK, r"\1"),
        (_BOLD, r"\2"),
    ):
        text = pattern.sub(left, text)
    return text.strip()
