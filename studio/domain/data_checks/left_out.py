"""Rows that can't be trained on, grouped by what is wrong with them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.mended_codes import NOT_RENDERED
from studio.domain.data_checks.words import Places, rows, told
from studio.domain.data_report import DataFinding
from studio.domain.finding import Severity

_MOST_REASONS: Final = 50
_TOLD_REASONS: Final = 3
_OTHER: Final = "has another fault"
_REMEDIES: Final = {
    "data.unreadable-row": "Mend the rows in the file, or leave them out.",
    "data.no-answer": "Add the answers, or leave the rows out.",
    "data.empty-turn": "Add the words, or leave the rows out.",
    "data.no-content": "Add the words, or leave the rows out.",
    "data.not-text": "Put the words in place of it, or leave the rows out.",
    "data.unknown-role": "Name the speakers system, user, assistant or tool.",
    NOT_RENDERED: "Mend the rows, leave them out, or choose another model.",
    "data.unknown-form": "Assign its columns by hand.",
    "data.rejected": "",
}
_SEVERITIES: Final = {"data.rejected": Severity.INFO}  # somebody wanted it so


@dataclass(slots=True)
class _Group:
    """Rows of one code.

    Attributes:
        places: All of them.
        reasons: How many have which fault.
    """

    places: Places = field(default_factory=Places)
    reasons: dict[str, int] = field(default_factory=dict)

    def add(self, row: CheckedRow) -> None:
        self.places.add(row)
        known = row.fault in self.reasons or len(self.reasons) < _MOST_REASONS
        reason = row.fault if known else _OTHER
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def in_words(self) -> str:
        count, named = self.places.count, self.places.named()
        often = sorted(self.reasons.items(), key=lambda pair: -pair[1])
        if count == 1:
            return f"Row {named} is left out: it {often[0][0]}."
        if len(often) == 1:
            return f"{count:,} rows are left out ({named}): each {often[0][0]}."
        parts = [f"{rows(n)}: {why}" for why, n in often[:_TOLD_REASONS]]
        others = sum(n for _, n in often[_TOLD_REASONS:])
        parts += [f"{rows(others)}: other faults"] if others else []
        return f"{count:,} rows are left out ({named}). {'; '.join(parts)}."


class LeftOut:
    """Tells of every row that is no example, by its code, and that none is left."""

    def __init__(self) -> None:
        self._groups: dict[str, _Group] = {}
        self._rows = 0
        self._usable = 0

    def take(self, row: CheckedRow) -> None:
        """Count a row by its fault."""
        self._rows += 1
        if not row.fault:
            self._usable += 1
            return
        code = row.code or "data.row-left-out"
        if code not in self._groups:
            self._groups[code] = _Group()
        self._groups[code].add(row)

    def findings(self) -> Iterator[DataFinding]:
        """One for each code; an error when nothing can be trained."""
        if not self._rows:
            yield _about_all("data.empty", "The file holds no rows.")
        elif not self._usable:
            yield _about_all(
                "data.no-usable-row",
                f"None of the {rows(self._rows)} can be trained on.",
            )
        kept = f"The other {rows(self._usable)} are read and kept."
        for code, group in self._groups.items():
            yield from told(
                code,
                group.places,
                group.in_words(),
                why=kept if self._usable else "",
                fix=_REMEDIES.get(code, "Mend the rows, or leave them out."),
                severity=_SEVERITIES.get(code, Severity.WARNING),
            )


def _about_all(code: str, what: str) -> DataFinding:
    return DataFinding(
        code=code,
        severity=Severity.ERROR,
        count=0,
        rows=(),
        what=what,
        why="There is nothing to learn from.",
        fix="Choose a file with at least one row to learn from, or assign its columns.",
    )
