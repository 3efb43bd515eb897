"""One answer, or one verdict, that most rows have."""

from collections.abc import Iterator
from typing import Final

from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.row_key import normal
from studio.domain.data_report import DataFinding
from studio.domain.finding import Severity

_FEW: Final = 20
_MOST: Final = 0.5
_ONE_SIDED: Final = 0.9
_CANDIDATES: Final = 256
_SHOWN: Final = 60


class DominantAnswer:
    """Tells when more than half of the rows have one answer.

    The most frequent answers are followed in bounded memory, as Misra and Gries
    (1982, doi:10.1016/0167-6423(82)90012-0) do: an answer of more than 1/256 of the
    rows is among them, and counted short by at most that.
    """

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._shown: dict[int, str] = {}
        self._rows = 0

    def take(self, row: CheckedRow) -> None:
        """Count its answer."""
        if row.chat is None or row.fault or row.chat.text:
            return
        self._rows += 1
        answer = row.chat.answer()
        key = hash(normal(answer))
        if key in self._counts:
            self._counts[key] += 1
        elif len(self._counts) < _CANDIDATES:
            self._counts[key] = 1
            self._shown[key] = answer
        else:
            self._forget_one_of_each()

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        key = max(self._counts, key=lambda each: self._counts[each], default=None)
        if key is None or self._rows <= _FEW:
            return
        count = self._counts[key]
        if count <= _MOST * self._rows:
            return
        answer = " ".join(self._shown[key].split())
        shown = answer if len(answer) <= _SHOWN else f"{answer[:_SHOWN].rstrip()}…"
        yield DataFinding(
            code="data.dominant-answer",
            severity=Severity.WARNING,
            count=count,
            rows=(),
            what=f"{count:,} of {self._rows:,} rows have one answer: “{shown}”.",
            why="The model can be right most of the time by always saying it.",
            fix="Add rows with other answers, or leave some of these out.",
        )

    def _forget_one_of_each(self) -> None:
        self._counts = {key: n - 1 for key, n in self._counts.items() if n > 1}
        self._shown = {key: self._shown[key] for key in self._counts}


class DominantVerdict:
    """Tells when nearly all rated answers have one verdict."""

    def __init__(self) -> None:
        self._liked = 0
        self._rated = 0

    def take(self, row: CheckedRow) -> None:
        """Count its verdict."""
        if row.chat is not None and not row.fault and row.chat.is_liked is not None:
            self._rated += 1
            self._liked += row.chat.is_liked

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        most = max(self._liked, self._rated - self._liked)
        if self._rated <= _FEW or most <= _ONE_SIDED * self._rated:
            return
        verdict = "good" if most == self._liked else "bad"
        yield DataFinding(
            code="data.dominant-verdict",
            severity=Severity.WARNING,
            count=most,
            rows=(),
            what=f"{most:,} of {self._rated:,} answers are rated {verdict}.",
            why="What tells good answers from bad ones can hardly be learnt from that.",
            fix="Add answers of the other kind.",
        )
