"""The verb fetch-data: a data set of the hub becomes one Arrow file on this machine.

Rows come as a stream and are written as they come, so that no size fills the memory
and an end by order leaves nothing behind.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast

import pyarrow as pa
from datasets import ClassLabel

from studio.domain.errors import refusal
from studio.domain.hub_names import HubName
from studio.engine.hub_source import HubSource, hub_words
from studio.engine.lifeline import Interrupted
from studio.engine.session import Count, Session
from studio.engine.staging import need_space, whole_folder
from studio.protocol.data_events import DataFetched
from studio.storage.data_digest import sha256_of
from studio.storage.hub_data import (
    FetchedData,
    Origin,
    file_name_for,
    find_fetched,
    folder_for,
    write_origin,
)
from studio.system.paths import hub_data_dir

_AT_ONCE: Final = 1000


def fetch_data(session: Session, asked: HubName, *, again: bool = False) -> DataFetched:
    """Fetch a data set, unless it lies here already.

    Args:
        session: Told of progress; may be told to end it.
        asked: Which.
        again: Ask the hub even then, for it may have a newer one.

    Returns:
        What lies here now.

    Raises:
        StudioError: It can't be had, or read, or the disk refuses.
        Interrupted: It was told to end; nothing is kept then.
    """
    root = hub_data_dir()
    known = None if again else find_fetched(root, asked)
    if known is not None:
        return _told(known, was_here=True)
    source = HubSource.of(asked)
    folder = folder_for(root, source.name)
    need_space(folder, source.size_bytes, "The data set")
    with whole_folder(folder, replace=True) as draft:
        file = draft / file_name_for(source.name)
        rows = _write(session, source, file)
        origin = _origin(source, asked, file, rows)
        write_origin(draft, origin)
    return _told(FetchedData(folder, origin), splits=source.other_splits)


def _write(session: Session, source: HubSource, file: Path) -> int:
    """Write all rows; return how many."""
    parts = _Parts(file)
    count = Count(session, "Fetching the rows", source.rows, "rows")
    try:
        for table in _from_hub(source):
            if session.orders.stop_is_ordered:
                raise Interrupted
            parts.add(table)
            count.add(table.num_rows)
        with _common_columns(source.name):
            parts.end()
    finally:
        parts.close()
    if not parts.rows:
        raise refusal(
            "hub.empty",
            f"The split {source.name.split} of the data set holds no rows.",
            fix="Name another split or configuration.",
            where=source.name.word(),
        )
    return parts.rows


def _from_hub(source: HubSource) -> Iterator[pa.Table]:
    """Its tables; only what fails on the way here is the hub's."""
    tables = _tables(source)
    while True:
        with hub_words(source.name):
            table = next(tables, None)
        if table is None:
            return
        yield table


def _tables(source: HubSource) -> Iterator[pa.Table]:
    declared = source.builder.info.features
    stream = source.builder.as_streaming_dataset(split=source.name.split)
    if declared is None and type(source.builder).__module__.endswith(".json"):
        # By then it takes all rows to be what the first ones are, and fails at the
        # first that isn't.
        source.builder.info.features = stream.info.features = None
        rows = iter(stream)
        while some := list(islice(rows, _AT_ONCE)):
            with _common_columns(source.name):
                table = pa.Table.from_pylist(_with_all_columns(some))
            yield table
        return
    labels = {
        column: feature.names
        for column, feature in (stream.features or {}).items()
        if isinstance(feature, ClassLabel)
    }
    for table in stream.with_format("arrow").iter(batch_size=_AT_ONCE):
        # What datasets notes there of its own types means nothing to other readers.
        yield _named(cast("Any", table), labels).replace_schema_metadata(None)


def _with_all_columns(rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Rows of which the first names every column; pyarrow looks at no other."""
    columns = dict.fromkeys(name for row in rows for name in row)
    return [columns | rows[0], *rows[1:]]


def _named(table: pa.Table, labels: dict[str, Sequence[str]]) -> pa.Table:
    """The table with the names of classes for their numbers."""
    for column, names in labels.items():
        at = table.schema.get_field_index(column)
        numbers = table.column(at).to_pylist()
        named = [
            names[each] if each is not None and 0 <= each < len(names) else None
            for each in numbers
        ]
        table = table.set_column(at, column, pa.array(named, pa.string()))
    return table


@dataclass(slots=True)
class _Part:
    """Tables that have the same columns."""

    file: Path
    schema: pa.Schema
    writer: Any


class _Parts:
    """Writes tables to one file, whatever columns each brings.

    Files of text don't say of what type a column is, so that one that begins empty
    changes later. What has other columns goes to a file of its own, and at the end all
    become one.
    """

    def __init__(self, file: Path) -> None:
        self.rows = 0
        self._file = file
        self._parts: list[_Part] = []

    def add(self, table: pa.Table) -> None:
        """Write some rows."""
        if not table.num_rows:
            return
        part = next((p for p in self._parts if p.schema.equals(table.schema)), None)
        if part is None or part is not self._parts[-1]:
            part = self._begin(table.schema)
        part.writer.write_table(table)
        self.rows += table.num_rows

    def end(self) -> None:
        """Make one file of all."""
        self.close()
        if not self._parts:
            return
        if len(self._parts) == 1:
            self._parts[0].file.rename(self._file)
            return
        schemas = [part.schema for part in self._parts]
        schema = pa.unify_schemas(schemas, promote_options="permissive")
        with pa.ipc.new_file(str(self._file), schema) as writer:
            for part in self._parts:
                for table in _read(part.file):
                    both = [schema.empty_table(), table]
                    writer.write_table(
                        pa.concat_tables(both, promote_options="permissive")
                    )
                part.file.unlink()

    def close(self) -> None:
        """Let go of the files."""
        for part in self._parts:
            part.writer.close()

    def _begin(self, schema: pa.Schema) -> _Part:
        if self._parts:
            self._parts[-1].writer.close()
        file = self._file.with_suffix(f".part{len(self._parts)}")
        part = _Part(file, schema, pa.ipc.new_file(str(file), schema))
        self._parts.append(part)
        return part


def _read(file: Path) -> Iterator[pa.Table]:
    with pa.memory_map(str(file)) as mapped:
        reader = pa.ipc.open_file(mapped)
        for at in range(reader.num_record_batches):
            yield pa.Table.from_batches([reader.get_batch(at)])


@contextlib.contextmanager
def _common_columns(name: HubName) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, KeyError) as fault:
        lines = str(fault).splitlines()
        raise refusal(
            "hub.columns",
            "The data set's files don't have the same columns.",
            why=f"{lines[0][:200].rstrip('.')}." if lines else "",
            fix="Name a configuration of it, or download the files and choose those "
            "that go together.",
            where=name.word(),
        ) from fault


def _origin(source: HubSource, asked: HubName, file: Path, rows: int) -> Origin:
    name = source.name
    return Origin(
        id=name.id,
        config=name.config,
        split=name.split,
        revision=name.revision,
        asked_revision=asked.revision,
        fetched_at=datetime.now(UTC),
        file=file.name,
        rows=rows,
        size_bytes=file.stat().st_size,
        sha256=sha256_of(file),
    )


def _told(
    found: FetchedData, *, was_here: bool = False, splits: Sequence[str] = ()
) -> DataFetched:
    origin = found.origin
    name = HubName(origin.id, origin.config, origin.split, origin.revision)
    return DataFetched(
        path=str(found.path),
        name=name.word(),
        rows=origin.rows,
        size_bytes=origin.size_bytes,
        was_here=was_here,
        other_splits=tuple(splits),
    )
