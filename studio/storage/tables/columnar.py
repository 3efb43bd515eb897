"""Parquet and Arrow files, through pyarrow, a batch of rows at a time."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from studio.domain.errors import StudioError, refusal
from studio.storage.tables.table import RawRow, changed

_BATCH: Final = 1024
_LARGEST_GROUP: Final = 8 << 30  # bytes unpacked; more is a bomb, not data


@dataclass(slots=True)
class Parquet:
    """A Parquet file."""

    path: Path
    size_bytes: int
    _held: tuple[int, list[object]] = field(default=(-1, []))

    def rows(self) -> Iterator[RawRow]:
        """Each row, by its number."""
        place = 0
        for batch in self._batches():
            for value in batch:
                yield RawRow(place + 1, value, place=place)
                place += 1

    def row_at(self, place: int) -> object:
        """The row of a number."""
        number, within = divmod(place, _BATCH)
        if self._held[0] != number:
            self._held = number, self._batch(number)
        if within >= len(self._held[1]):
            raise changed(self.path)
        return self._held[1][within]

    def _batch(self, number: int) -> list[object]:
        for each, batch in enumerate(self._batches()):
            if each == number:
                return batch
        raise changed(self.path)

    def _batches(self) -> Iterator[list[object]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.path, memory_map=True) as file:
                self._refuse_bombs(file.metadata)
                for batch in file.iter_batches(batch_size=_BATCH):
                    yield _values(batch)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as fault:
            raise _broken(self.path, "Parquet", fault) from fault

    def _refuse_bombs(self, metadata: Any) -> None:  # noqa: ANN401 - pyarrow's own
        groups = range(metadata.num_row_groups)
        if any(metadata.row_group(g).total_byte_size > _LARGEST_GROUP for g in groups):
            raise refusal(
                "data.too-large",
                "A row group of this Parquet file unpacks to more than "
                f"{_LARGEST_GROUP >> 30} GiB.",
                fix="Write it again with smaller row groups.",
                where=str(self.path),
            )


@dataclass(slots=True)
class Arrow:
    """An Arrow file, or a stream as `datasets` writes it."""

    path: Path
    size_bytes: int
    _table: Any = None

    def rows(self) -> Iterator[RawRow]:
        """Each row, by its number."""
        place = 0
        for batch in self._opened().to_batches(max_chunksize=_BATCH):
            for value in self._values(batch):
                yield RawRow(place + 1, value, place=place)
                place += 1

    def row_at(self, place: int) -> object:
        """The row of a number."""
        table = self._opened()
        if place >= table.num_rows:
            raise changed(self.path)
        return self._values(table.slice(place, 1))[0]

    def _values(self, rows: Any) -> list[object]:  # noqa: ANN401 - pyarrow's own
        import pyarrow as pa

        try:
            return _values(rows)
        except (pa.ArrowException, ValueError, OverflowError) as fault:
            raise _broken(self.path, "Arrow", fault) from fault

    def _opened(self) -> Any:  # noqa: ANN401 - pyarrow has no types
        import pyarrow as pa

        if self._table is None:
            try:
                mapped = pa.memory_map(str(self.path))
                try:
                    self._table = pa.ipc.open_file(mapped).read_all()
                except pa.ArrowInvalid:
                    mapped.seek(0)
                    self._table = pa.ipc.open_stream(mapped).read_all()
            except (pa.ArrowException, OSError) as fault:
                raise _broken(self.path, "Arrow", fault) from fault
        return self._table


def _values(rows: Any) -> list[object]:  # noqa: ANN401 - pyarrow has no types
    """Rows as Python has them.

    A damaged file can have offsets that point anywhere; to follow them ends the whole
    process, so they are looked at first.

    Raises:
        ArrowException: They are damaged.
        ValueError, OverflowError: A value is none that Python knows.
    """
    rows.validate(full=True)
    values: list[object] = rows.to_pylist()
    return values


def _broken(path: Path, kind: str, fault: Exception) -> StudioError:
    reason = str(fault).splitlines()[0][:200].rstrip(".") if str(fault) else "no reason"
    return refusal(
        "data.columnar",
        f"The {kind} file can't be read: {reason}.",
        fix="Write it again, or choose another file.",
        where=str(path),
    )
