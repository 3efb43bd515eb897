"""Which column is which part of an example: paths into a row, and templates of them.

A *source* says where one part of an example comes from. It is a path, such as
``answer`` or ``instances[0].output``, or a template that builds a text out of several
columns, such as ``Describe {name}, a place in {area}.``
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

ColumnMapping = Mapping[str, str]
"""A source for each part that has one, by the part's name."""

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d+)\]")
_HOLE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_ABSENT = object()


class MappingError(ValueError):
    """A source that can't be understood; the message says why."""


@dataclass(frozen=True, slots=True)
class _Path:
    """A way into a row, step by step."""

    text: str
    steps: tuple[str | int, ...]

    def read(self, row: Mapping[str, object]) -> object:
        """The value there; None when there is none."""
        if self.text in row:  # a column whose own name holds dots or brackets
            return row[self.text]
        value: object = row
        for step in self.steps:
            value = _taken(value, step)
            if value is _ABSENT:
                return None
        return value

    def roots(self) -> Iterator[str]:
        """The column that it begins with, and its whole text as a column's name."""
        yield self.text
        yield str(self.steps[0])


@dataclass(frozen=True, slots=True)
class _Template:
    """Literal text and paths in turn; a path that leads nowhere counts as empty."""

    parts: tuple[str | _Path, ...]

    def read(self, row: Mapping[str, object]) -> object:
        """The text; None when no path of it leads anywhere."""
        found = [(part, _filled(part, row)) for part in self.parts]
        if not any(text for part, text in found if isinstance(part, _Path)):
            return None
        return "".join(text for _, text in found)

    def roots(self) -> Iterator[str]:
        """The columns that it is built out of."""
        for part in self.parts:
            if isinstance(part, _Path):
                yield from part.roots()


Source = _Path | _Template
"""Where one part of an example comes from; ``read(row)`` gives its value."""


def source_of(text: str) -> Source:
    """Understand a source.

    Args:
        text: A path, or a template with paths in braces; ``{{`` is a brace.

    Raises:
        MappingError: It is empty, or a path in it is.
    """
    if "{" not in text:
        return _path_of(text)
    parts: list[str | _Path] = []
    at = 0
    for hole in _HOLE.finditer(text):
        parts.append(_literal(text, at, hole.start()))
        inner = hole.group(1)
        parts.append(hole.group()[0] if inner is None else _path_of(inner))
        at = hole.end()
    parts.append(_literal(text, at, len(text)))
    return _Template(tuple(part for part in parts if part))


def mapping_of(words: Iterator[str] | tuple[str, ...]) -> dict[str, str]:
    """A mapping from its words, each ``part=source``.

    Raises:
        MappingError: A word is none, or its source can't be understood.
    """
    mapping: dict[str, str] = {}
    for word in words:
        part, equals, source = word.partition("=")
        if not (equals and part.strip() and source.strip()):
            raise MappingError(f"“{word}” is not of the form part=column")
        source_of(source.strip())
        mapping[part.strip()] = source.strip()
    return mapping


def words_of(mapping: ColumnMapping) -> tuple[str, ...]:
    """A mapping as the words that a recipe keeps."""
    return tuple(f"{part}={source}" for part, source in mapping.items())


def _literal(text: str, start: int, stop: int) -> str:
    literal = text[start:stop]
    if "{" in literal or "}" in literal:
        raise MappingError(f"“{text}” has a brace without its other half")
    return literal


def _path_of(text: str) -> _Path:
    text = text.strip()
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            break
        steps.append(found.group(1) or int(found.group(2)))
        at = found.end()
    if not text:
        raise MappingError("a column's name is missing")
    if at < len(text) or not isinstance(steps[0], str):
        steps = [text]  # no path: the name of one column, whatever is in it
    return _Path(text, tuple(steps))


def _taken(value: object, step: str | int) -> object:
    if isinstance(step, int):
        if isinstance(value, list | tuple) and -len(value) <= step < len(value):
            return value[step]
        return _ABSENT
    return value.get(step, _ABSENT) if isinstance(value, Mapping) else _ABSENT


def _filled(part: str | _Path, row: Mapping[str, object]) -> str:
    if isinstance(part, str):
        return part
    value = part.read(row)
    return "" if value is None else str(value)
