"""Rows of tokens in little room: 8 bytes a token instead of Python's 47.

What a run trains on lives as long as the run. Held here a file of a gigabyte takes some
two, and the trainer's data set looks at the same bytes instead of copying them.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import overload
from uuid import uuid4

import pyarrow as pa
from datasets import Dataset
from typing_extensions import override

from studio.engine.chat_rendering import TrainingRow

EMPTY = TrainingRow([], [])


@dataclass(frozen=True, slots=True)
class PackedRow(TrainingRow):
    """Several chats in one row.

    Attributes:
        lengths: Tokens of each, in order.
    """

    lengths: tuple[int, ...] = ()


class RowStore(Sequence[TrainingRow]):
    """Rows in the order they were added; each is made anew when it is asked for.

    An empty row stands for one that nothing can be learnt from, so that places stay
    those of the file.
    """

    def __init__(self, rows: Iterable[TrainingRow] = ()) -> None:
        self._ids, self._labels = array("i"), array("i")
        self._starts = array("q", [0])
        self._ends = bytearray()
        self.extend(rows)

    def append(self, row: TrainingRow) -> None:
        """Add a row."""
        self._ids.extend(row.input_ids)
        self._labels.extend(row.labels)
        self._starts.append(len(self._ids))
        self._ends.append(row.ends)

    def extend(self, rows: Iterable[TrainingRow]) -> None:
        """Add rows."""
        for row in rows:
            self.append(row)

    def tokens_of(self, place: int) -> int:
        """How long a row is."""
        return self._starts[place + 1] - self._starts[place]

    @override
    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, place: int) -> TrainingRow: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[TrainingRow]: ...
    @override
    def __getitem__(self, place: int | slice) -> TrainingRow | Sequence[TrainingRow]:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        return self._row(range(len(self))[place])  # from the end as well

    def _row(self, place: int) -> TrainingRow:
        whole = slice(self._starts[place], self._starts[place + 1])
        ends = bool(self._ends[place])
        return TrainingRow(
            self._ids[whole].tolist(), self._labels[whole].tolist(), ends
        )

    def data_set(self) -> Dataset:
        """The rows as trl's trainer takes them, on the very bytes of this store.

        Nothing may be added while it lives.

        Returns:
            Columns input_ids and labels, each a list of int32 a row; of packed rows
            also seq_lengths.
        """
        # By default the name that datasets keeps results under is made of all bytes,
        # written out once more; nothing of these rows is ever kept.
        return Dataset(pa.table(self._columns()), fingerprint=uuid4().hex)

    def _columns(self) -> dict[str, pa.Array]:
        return {
            "input_ids": _lists(self._starts, self._ids),
            "labels": _lists(self._starts, self._labels),
        }


class PackStore(RowStore):
    """Packed rows, likewise."""

    def __init__(self, packs: Iterable[PackedRow] = ()) -> None:
        self._lengths = array("i")
        self._parts = array("q", [0])
        super().__init__(packs)

    @override
    def append(self, row: TrainingRow) -> None:
        assert isinstance(row, PackedRow)
        super().append(row)
        self._lengths.extend(row.lengths)
        self._parts.append(len(self._lengths))

    @override
    def _row(self, place: int) -> PackedRow:
        row = super()._row(place)
        parts = self._lengths[self._parts[place] : self._parts[place + 1]]
        return PackedRow(row.input_ids, row.labels, row.ends, tuple(parts))

    @override
    def _columns(self) -> dict[str, pa.Array]:
        lengths = _lists(self._parts, self._lengths)
        return {**super()._columns(), "seq_lengths": lengths}


def _lists(starts: "array[int]", values: "array[int]") -> pa.Array:
    """Lists of int32 in Arrow's form, without a copy.

    Args:
        starts: Where each list begins, and where the last ends; int64.
        values: All of them, one list behind the other; int32.
    """
    offsets = pa.Array.from_buffers(
        pa.int64(), len(starts), [None, pa.py_buffer(starts)]
    )
    numbers = pa.Array.from_buffers(
        pa.int32(), len(values), [None, pa.py_buffer(values)]
    )
    return pa.LargeListArray.from_arrays(offsets, numbers)
