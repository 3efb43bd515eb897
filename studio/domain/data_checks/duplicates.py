"""Rows that say the same, and those of them that are held out and trained on alike."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator

from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.hash_set import HashSet
from studio.domain.data_checks.row_key import row_key
from studio.domain.data_checks.words import Places, rows, told
from studio.domain.data_report import DataFinding
from studio.domain.dataset import split_rows


class Duplicates:
    """Tells of rows that an earlier row says already."""

    def __init__(self) -> None:
        self._places = Places()
        self._seen = HashSet()

    def take(self, row: CheckedRow) -> None:
        """Compare it with all rows before."""
        if row.chat is None or row.fault:
            return
        if not self._seen.add(row_key(row.chat)):
            self._places.add(row)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        verb = "repeats" if self._places.count == 1 else "repeat"
        yield from told(
            "data.duplicate",
            self._places,
            f"{{rows}} {verb} an earlier row, but for spaces and capitals.",
            why="What stands twice is learnt twice as hard.",
            fix="Keep the first of each in a new file.",
        )


class Overlap:
    """Tells of held-out rows that are trained on as well."""

    def __init__(self, held_out: float, seed: int) -> None:
        """Take the share that is held out, and the seed that chooses it."""
        self._held_out, self._seed = held_out, seed
        self._keys = array("Q")
        self._lines = array("Q")
        self._files: list[tuple[int, str]] = []  # which file begins at which row

    def take(self, row: CheckedRow) -> None:
        """Remember what it says; rows that a template refuses are split as well."""
        if row.chat is None or not self._held_out:
            return
        if row.file != self._file_of(len(self._keys)):
            self._files.append((len(self._keys), row.file))
        self._keys.append(row_key(row.chat))
        self._lines.append(row.line)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        if not self._keys:
            return
        training, held = split_rows(len(self._keys), self._held_out, self._seed)
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
