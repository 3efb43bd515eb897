"""Rows that are held out and trained on as well."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator

from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.row_key import RowKeys
from studio.domain.data_checks.words import Places, rows, told
from studio.domain.data_report import DataFinding
from studio.domain.dataset import group_number, split_rows


class Overlap:
    """Tells of held-out rows that are trained on as well."""

    def __init__(self, keys: RowKeys, held_out: float, seed: int) -> None:
        """Take the keys of rows, the share held out, and the seed that chooses it."""
        self._row_keys = keys
        self._held_out, self._seed = held_out, seed
        self._keys = array("Q")
        self._lines = array("Q")
        self._groups = array("Q")
        self._is_grouped = False
        self._files: list[tuple[int, str]] = []  # which file begins at which row

    def take(self, row: CheckedRow) -> None:
        """Remember what it says; rows that a template refuses are split as well."""
        if row.chat is None or not self._held_out:
            return
        if row.file != self._file_of(len(self._keys)):
            self._files.append((len(self._keys), row.file))
        self._is_grouped |= bool(row.chat.group)
        self._groups.append(group_number(row.chat.group, len(self._keys)))
        self._keys.append(self._row_keys.of(row, row.chat))
        self._lines.append(row.line)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        if not self._keys:
            return
        training, held = split_rows(
            len(self._keys),
            self._held_out,
            self._seed,
            self._groups if self._is_grouped else (),
        )
        keys = {self._keys[at] for at in held}
        both = {key for at in training if (key := self._keys[at]) in keys}
        places = Places()
        for at in held:
            if self._keys[at] in both:
                places.add(CheckedRow(self._lines[at], None, file=self._file_of(at)))
        are = "is" if places.count == 1 else "are"
        yield from told(
            "data.overlap",
            places,
            f"{{rows}} of the {rows(len(held))} held out {are} trained on as well.",
            why="The held-out loss then looks better than it is.",
            fix="Keep the first of each row in a new file.",
        )

    def _file_of(self, at: int) -> str:
        begun = bisect_right(self._files, at, key=lambda each: each[0])
        return self._files[begun - 1][1] if begun else ""
