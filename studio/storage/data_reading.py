"""How a file's rows become examples: its table, its format and its mapping together.

A file's kind is the business of `studio.storage.tables`, its rows' meaning that of
`studio.storage.data_formats`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final, Self

from studio.domain.data_mapping import (
    ColumnMapping,
    MappingError,
    Source,
    mapping_of,
    source_of,
)
from studio.domain.data_options import DataOptions
from studio.domain.dataset import Chat, RowError
from studio.domain.drafts import REJECTED, Review, review_of
from studio.domain.errors import refusal
from studio.plugin_api.data_formats import DataFormat, Recognition, Row, RowReader
from studio.storage.data_formats.registry import FORMATS, format_named, recognised
from studio.storage.data_formats.values import CLEAR, columns_of
from studio.storage.tables.opening import Folder, open_table
from studio.storage.tables.table import RawRow, Table

_LOOKED_AT: Final = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """How the user wants rows to be read.

    Attributes:
        format_name: Of the format; empty to recognise it.
        columns: The mapping, each word ``part=source``; empty for the format's own.
        group: The source of what keeps rows together; empty when nothing does.
    """

    format_name: str = ""
    columns: tuple[str, ...] = ()
    group: str = ""

    @classmethod
    def of(cls, data: DataOptions) -> Self:
        """What a recipe says."""
        return cls(data.format, data.columns, data.group)


RECOGNISE: Final = Choice()


@dataclass(frozen=True, slots=True)
class Reading:
    """A file about to be read.

    Attributes:
        table: The file.
        format: What its rows mean; None when no format knows them.
        mapping: Which column is which part.
        read: Makes an example of a row.
        form: How rows are recognised, in words.
        confidence: Of the format, 0 to 1; 1 when the user chose.
        columns: Of the first rows.
        group: Where rows say what keeps them together; None when nothing does.
    """

    table: Table
    format: DataFormat | None
    mapping: ColumnMapping
    read: RowReader
    form: str
    confidence: float
    columns: tuple[str, ...]
    group: Source | None = None

    def examples(self) -> Iterator[tuple[RawRow, Chat | RowError]]:
        """Each row with its example, or with why it is none."""
        for row in self.table.rows():
            try:
                yield row, self.example_of(row)
            except RowError as fault:
                yield row, fault

    def example_of(self, row: RawRow) -> Chat:
        """A row as an example.

        Raises:
            RowError: It can't be trained on.
        """
        if row.fault:
            raise RowError(row.fault, "data.unreadable-row")
        if not isinstance(row.value, Mapping):
            raise RowError("is not an object")
        review = review_of(row.value)
        if review is Review.REJECTED:
            raise RowError(REJECTED, code="data.rejected")
        chat = self.read(row.value, row.line)
        _refuse_half_characters(chat)
        group = "" if self.group is None else group_value(self.group.read(row.value))
        if row.file or review or group:
            return replace(chat, file=row.file, review=review or "", group=group)
        return chat

    def row_at(self, line: int, place: int) -> RawRow:
        """A row that was read before.

        Raises:
            StudioError: The file was changed since.
        """
        table = self.table
        name = table.name_of(place) if isinstance(table, Folder) else ""
        return RawRow(line, table.row_at(place), place=place, file=name)


def open_data(path: Path, choice: Choice = RECOGNISE) -> Reading:
    """Open a data file and decide how its rows are read.

    Args:
        path: A file or folder that `open_table` takes.
        choice: What the user decided.

    Raises:
        StudioError: It can't be opened, or the choice doesn't make sense.
    """
    table = open_table(path)
    head = [
        row.value
        for row in islice(table.rows(), _LOOKED_AT)
        if isinstance(row.value, Mapping)
    ]
    try:
        reading = _decided(table, head, choice)
        return (
            replace(reading, group=source_of(choice.group)) if choice.group else reading
        )
    except MappingError as fault:
        columns = ", ".join(columns_of(head)) or "none"
        raise refusal(
            "data.mapping",
            f"The columns can't be read as chosen: {fault}.",
            why=f"The file's columns: {columns}.",
            fix="Assign columns to the parts of an example anew.",
            where="data.columns",
        ) from None


def group_value(value: object) -> str:
    """What a row says of its group, as text; empty when it says nothing."""
    if value is None or isinstance(value, str):
        return (value or "").strip()
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _decided(table: Table, head: Sequence[Row], choice: Choice) -> Reading:
    columns, chosen = columns_of(head), mapping_of(choice.columns)
    formats = _candidates(choice, chosen)
    found = recognised(head, formats) if head else None
    if found is None and (choice.format_name or chosen):
        found = formats[0], Recognition(1.0, {}, formats[0].title)
    if found is None:
        read = _refusing(columns)
        return Reading(table, None, {}, read, "Unknown rows", 0.0, columns)
    known, recognition = found
    mapping = {**recognition.mapping, **chosen}
    form, sure = recognition.form, recognition.confidence
    read = known.reader(mapping)
    if choice.format_name or chosen:
        sure = 1.0
    else:
        read = _mixed(known, read)
    if chosen:
        parts = [part for part in known.parts if part.name in mapping]
        form = " and ".join(f"{p.title} from “{mapping[p.name]}”" for p in parts)
    return Reading(table, known, mapping, read, form, sure, columns)


def _candidates(choice: Choice, chosen: ColumnMapping) -> Sequence[DataFormat]:
    """The formats that a choice leaves.

    Raises:
        MappingError: No format has all the parts that were chosen.
    """
    if choice.format_name:
        return (format_named(choice.format_name),)
    left = [f for f in FORMATS if set(chosen) <= {part.name for part in f.parts}]
    if not left:
        raise MappingError(f"no format has the parts {', '.join(chosen)}")
    return left


def _mixed(known: DataFormat, read: RowReader) -> RowReader:
    """Reads rows by a format, and those that it can't by others of the same kind."""
    others = [each for each in FORMATS if each.kind is known.kind]

    def read_either(row: Row, line: int) -> Chat:
        try:
            return read(row, line)
        except RowError:
            found = recognised((row,), others)
            if found is None or found[0] is known or found[1].confidence < CLEAR:
                raise
        return found[0].reader(found[1].mapping)(row, line)

    return read_either


def _refusing(columns: Sequence[str]) -> RowReader:
    named = ", ".join(columns[:6]) or "none"

    def read(row: Row, line: int) -> Chat:  # noqa: ARG001 - a RowReader's
        raise RowError(
            f"is in no form that is known (the columns: {named})",
            "data.unknown-form",
        )

    return read


def _refuse_half_characters(chat: Chat) -> None:
    try:
        chat.text.encode()
        for turn in (*chat.turns, *chat.rejected):
            turn.content.encode()
    except UnicodeEncodeError:
        raise RowError(
            "has half a character (a lone surrogate)", "data.half-character"
        ) from None
