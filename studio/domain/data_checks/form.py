"""Whether the rows are read as they are meant, are of one form, and are enough."""

from collections.abc import Iterator
from typing import Final

from studio.domain.data_checks.check import CheckedRow
from studio.domain.data_checks.words import Places, rows, told
from studio.domain.data_report import DataFinding
from studio.domain.finding import Severity

FEW: Final = 10
_SURE: Final = 0.6  # as `Recognition.confidence` has it


class FormGuessed:
    """Tells when the form was guessed."""

    def __init__(self, form: str, confidence: float) -> None:
        """Take what was recognised.

        Args:
            form: In words.
            confidence: 0 to 1; 0 when no form is known.
        """
        self._form, self._confidence = form, confidence

    def take(self, row: CheckedRow) -> None:
        """Nothing: it is about the file."""

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        if 0 < self._confidence < _SURE:
            yield DataFinding(
                code="data.format-guessed",
                severity=Severity.WARNING,
                count=0,
                rows=(),
                what=f"The form of the rows is guessed: {self._form}.",
                why="A wrong guess teaches the wrong column.",
                fix="Look at a row, and assign its columns if it is read wrongly.",
            )


class MixedForms:
    """Tells of rows of another form than most."""

    def __init__(self) -> None:
        self._places = Places()

    def take(self, row: CheckedRow) -> None:
        """Count it if another format read it."""
        if not row.fault and not row.is_of_form:
            self._places.add(row)

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        yield from told(
            "data.mixed-forms",
            self._places,
            "The file mixes forms: {rows} are read by other columns than the rest.",
            why="They are kept, as long as their columns are known by name.",
            fix="Look at one of them.",
            severity=Severity.INFO,
        )


class FewRows:
    """Tells when there is hardly anything to learn from."""

    def __init__(self) -> None:
        self._usable = 0

    def take(self, row: CheckedRow) -> None:
        """Count it."""
        self._usable += not row.fault

    def findings(self) -> Iterator[DataFinding]:
        """At most one."""
        if 0 < self._usable < FEW:
            yield DataFinding(
                code="data.few-rows",
                severity=Severity.WARNING,
                count=0,
                rows=(),
                what=f"There {'is' if self._usable == 1 else 'are'} only "
                f"{rows(self._usable)} to learn from.",
                why="A model learns so few by heart rather than what they share.",
                fix="Add rows; some hundreds are a good beginning.",
            )
