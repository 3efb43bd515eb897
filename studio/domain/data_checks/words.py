"""How findings about rows are counted and worded."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.mended_codes import MENDED
from studio.domain.data_report import NAMED_ROWS, DataFinding
from studio.domain.finding import Severity

_SPOKEN: Final = 5


@dataclass(slots=True)
class Places:
    """Rows that something is so for: all counted, the first ones named.

    Attributes:
        count: How many.
        lines: The first `NAMED_ROWS`.
    """

    count: int = 0
    lines: "array[int]" = field(default_factory=lambda: array("Q"))
    _spoken: list[str] = field(default_factory=list)

    def add(self, row: CheckedRow) -> None:
        """Count a row."""
        self.count += 1
        if self.count <= NAMED_ROWS:
            self.lines.append(row.line)
        if self.count <= _SPOKEN:
            in_file = f"{row.file} " if row.file else ""
            self._spoken.append(f"{in_file}{row.line:,}")

    def __bool__(self) -> bool:
        return self.count > 0

    def named(self) -> str:
        """The first of them in words, such as ``77, 912 and 12 more``."""
        more = self.count - len(self._spoken)
        return ", ".join(self._spoken) + (f" and {more:,} more" if more else "")

    def in_words(self) -> str:
        """How many and which, such as ``3 rows (77, 912, 1,530)``."""
        return f"{rows(self.count)} ({self.named()})"


def rows(count: int) -> str:
    """A number of rows in words."""
    return "1 row" if count == 1 else f"{count:,} rows"


def told(
    code: str,
    places: Places,
    what: str,
    *,
    why: str = "",
    fix: str = "",
    severity: Severity = Severity.WARNING,
) -> Iterator[DataFinding]:
    """The finding about some rows; none without any.

    Args:
        code: Of it.
        places: The rows.
        what: The sentence; ``{rows}`` stands for how many and which.
        why: What follows.
        fix: What to do.
        severity: How much it matters.
    """
    if places:
        yield DataFinding(
            code=code,
            severity=severity,
            count=places.count,
            rows=tuple(places.lines),
            what=what.replace("{rows}", places.in_words()),
            why=why,
            fix=fix,
            mends=code in MENDED,
        )
