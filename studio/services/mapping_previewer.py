"""How a file's first rows would be read by a format and columns, beside the window."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.data_mapping import ColumnMapping
from studio.domain.dataset import Chat, RowError
from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.plugin_api.data_formats import DataFormat, Part, Row
from studio.services.background import BackgroundCall
from studio.storage.data_formats.registry import FORMATS, format_named, recognised
from studio.storage.data_reading import Choice, open_data
from studio.storage.tables.opening import SUFFIXES, open_table

__all__ = [
    "FORMATS",
    "SUFFIXES",
    "MappingPreview",
    "MappingPreviewer",
    "Part",
    "PreviewRow",
    "preview",
]

_LOOKED_AT: Final = 100
_SHOWN: Final = 20
_DEEPEST: Final = 3
_MOST_PLACES: Final = 100


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """One of the first rows.

    Attributes:
        line: Its line or number.
        chat: As it would be read; None when it can't be.
        fault: Why not; the end of a sentence.
    """

    line: int
    chat: Chat | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class MappingPreview:
    """What a choice makes of a file's first rows.

    Attributes:
        format_name: The format in force; empty when none knows the rows.
        parts: What columns can be assigned to in it.
        mapping: The columns in force, as far as some are.
        places: Columns and places within them that could be assigned.
        first: The first row as it stands in the file, each value as text.
        rows: The first rows, read so.
        refusal: Why the choice makes no sense; None when it does.
    """

    format_name: str
    parts: tuple[Part, ...]
    mapping: ColumnMapping
    places: tuple[str, ...]
    first: tuple[tuple[str, str], ...]
    rows: tuple[PreviewRow, ...]
    refusal: Finding | None = None


def preview(path: Path, format_name: str, columns: tuple[str, ...]) -> MappingPreview:
    """Read a file's first rows by a choice that isn't made yet.

    Args:
        path: A file or folder of rows.
        format_name: Of a format; empty to recognise it.
        columns: The mapping, each word ``part=source``.

    Raises:
        StudioError: The file can't be read at all.
    """
    head = _head(path)
    known = format_named(format_name) if format_name else _guessed(head)
    found = known.recognise(head) if known is not None and head else None
    suggested = dict(found.mapping) if found is not None else {}
    rows: tuple[PreviewRow, ...] = ()
    refusal, mapping = None, suggested
    try:
        reading = open_data(path, Choice(format_name, columns))
        known, mapping = reading.format or known, dict(reading.mapping) or suggested
        rows = tuple(
            PreviewRow(row.line, None, str(example))
            if isinstance(example, RowError)
            else PreviewRow(row.line, example)
            for row, example in islice(reading.examples(), _SHOWN)
        )
    except StudioError as refused:
        refusal = refused.finding
    return MappingPreview(
        format_name="" if known is None else known.name,
        parts=() if known is None else known.parts,
        mapping=mapping,
        places=tuple(dict.fromkeys(islice(_places(head), _MOST_PLACES))),
        first=tuple((name, _shown(value)) for name, value in _first(head).items()),
        rows=rows,
        refusal=refusal,
    )


class MappingPreviewer(QObject):
    """Previews one choice at a time; the newest order wins.

    Signals:
        preview_ready(object): The `MappingPreview` that was ordered last.
        preview_failed(object): A `Finding` about the order that was last.
    """

    preview_ready = Signal(object)
    preview_failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._calls: list[BackgroundCall] = []
        self._newest: BackgroundCall | None = None

    def ask(self, path: str, format_name: str, columns: tuple[str, ...]) -> None:
        """Preview a choice; what an earlier order finds isn't told any more."""
        file = Path(path).expanduser()
        call = BackgroundCall(lambda: preview(file, format_name, columns))
        call.call_done.connect(self._on_call_done)
        call.call_failed.connect(self._on_call_failed)
        self._calls.append(call)
        self._newest = call
        call.start()

    def close(self) -> None:
        """Wait until no thread reads any more; its answer isn't told."""
        for call in self._calls:
            call.wait()
        self._calls.clear()

    @Slot(object)
    def _on_call_done(self, answer: MappingPreview) -> None:
        if self._is_newest():
            self.preview_ready.emit(answer)

    @Slot(object)
    def _on_call_failed(self, finding: Finding) -> None:
        if self._is_newest():
            self.preview_failed.emit(finding)

    def _is_newest(self) -> bool:
        call = self.sender()
        if not isinstance(call, BackgroundCall) or call not in self._calls:
            return False
        call.wait()
        self._calls.remove(call)
        return call is self._newest


def _head(path: Path) -> list[Row]:
    rows = islice(open_table(path).rows(), _LOOKED_AT)
    return [row.value for row in rows if isinstance(row.value, Mapping)]


def _guessed(head: Sequence[Row]) -> DataFormat | None:
    found = recognised(head) if head else None
    if found is not None:
        return found[0]
    return format_named("question-answer") if head else None


def _first(head: Sequence[Row]) -> Row:
    return head[0] if head else {}


def _shown(value: object) -> str:
    """A value as JSON would write it, for that is what most files hold."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _places(head: Sequence[Row]) -> Iterator[str]:
    """Columns, then what lies within them in the first row that has it."""
    names = list(dict.fromkeys(name for row in head for name in row))
    yield from names
    for name in names:
        value = next((row[name] for row in head if row.get(name)), None)
        yield from _within(name, value, 1)


def _within(place: str, value: object, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"{place}.{name}"
            yield from _within(f"{place}.{name}", inner, depth + 1)
    elif isinstance(value, list | tuple) and value:
        yield f"{place}[0]"
        yield from _within(f"{place}[0]", value[0], depth + 1)
