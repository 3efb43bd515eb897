"""Drafts that a model made and nobody has judged."""

from collections.abc import Iterator

from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.words import Places, told
from studio.domain.data_report import DataFinding
from studio.domain.drafts import Review


class Unreviewed:
    """Tells of drafts that are not reviewed yet."""

    def __init__(self) -> None:
        self._places = Places()

    def take(self, row: CheckedRow) -> None:
        """Look whether it is such a draft."""
        if row.chat is not None and not row.fault and row.chat.review == Review.OPEN:
            self._places.add(row)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        are = "is" if self._places.count == 1 else "are"
        yield from told(
            "data.unreviewed",
            self._places,
            f"{{rows}} {are} drafts that nobody has reviewed yet.",
            why="A model made them; they are trained on as any row.",
            fix="Review them: accept, mend or reject each.",
        )
