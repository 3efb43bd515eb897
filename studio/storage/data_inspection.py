"""A whole data set checked: its rows shown once to every check, in a stream.

The engine adds what a model's tokenizer makes of each row; without one, all that
needs no tokens is found all the same.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from studio.domain.data_checks.all_checks import CheckSettings, all_checks
from studio.domain.data_checks.check import Check, CheckedRow
from studio.domain.data_checks.hash_set import HashSet
from studio.domain.data_checks.row_key import row_key
from studio.domain.data_checks.words import Places, told
from studio.domain.data_mapping import source_of
from studio.domain.data_report import DataFinding, DataReport
from studio.domain.dataset import Chat, RowError
from studio.domain.errors import StudioError
from studio.domain.finding import Finding, Severity
from studio.domain.token_lengths import TokenLengths
from studio.storage.data_reading import RECOGNISE, Choice, Reading, open_data
from studio.storage.disk import unreadable
from studio.storage.tables.table import RawRow

_ORDER: Final = tuple(Severity)


@dataclass(slots=True)
class Inspection:
    """The checks of one data set, while its rows go by.

    Attributes:
        reading: The file.
        checks: Each sees every row.
    """

    reading: Reading
    checks: Sequence[Check]
    _refusals: list[Finding] = field(default_factory=list)
    _rows: int = 0
    _lengths: "array[int]" = field(default_factory=lambda: array("L"))
    _counted: bool = False
    _all_tokens: int = 0
    _trained_tokens: int = 0

    def rows(self) -> Iterator[tuple[RawRow, CheckedRow]]:
        """Every row, as read and as checks see it, without tokens.

        A file that breaks off ends the rows; the report tells of it.
        """
        is_of_form = form_test(self.reading)
        try:
            for raw, example in self.reading.examples():
                yield raw, checked_row(raw, example, is_of_form=is_of_form(raw))
        except StudioError as refused:
            self._refusals.append(refused.finding)
        except OSError as fault:
            broken = unreadable(fault, self.reading.table.path)
            self._refusals.append(broken.finding)

    def take(self, row: CheckedRow) -> None:
        """Show a row to every check."""
        self._rows += 1
        if row.chat is not None and not row.fault:
            self._measure(row.chat, row)
        for check in self.checks:
            check.take(row)

    def report(self) -> DataReport:
        """What was found in the rows so far."""
        found = [told_once(refused) for refused in self._refusals]
        for check in self.checks:
            found.extend(check.findings())
        reading = self.reading
        return DataReport(
            path=str(reading.table.path),
            rows=self._rows,
            usable=len(self._lengths),
            format_name="" if reading.format is None else reading.format.name,
            confidence=reading.confidence,
            mapping=reading.mapping,
            lengths=self._token_lengths(),
            trained_tokens=self._trained_tokens,
            all_tokens=self._all_tokens,
            findings=ordered(found),
        )

    def _measure(self, chat: Chat, row: CheckedRow) -> None:
        if row.tokens is None:
            self._lengths.append(chat.characters())
            return
        self._counted = True
        self._lengths.append(row.tokens.count)
        self._all_tokens += row.tokens.count
        self._trained_tokens += row.tokens.trained

    def _token_lengths(self) -> TokenLengths:
        if self._counted:
            return TokenLengths.of(self._lengths)
        return TokenLengths.judged(self._lengths)


def ordered(found: Iterable[DataFinding]) -> tuple[DataFinding, ...]:
    """Findings as a report has them: errors first, then by how many rows they have."""
    return tuple(
        sorted(found, key=lambda each: (_ORDER.index(each.severity), -each.count))
    )


def inspect_rows(reading: Reading, checks: Sequence[Check]) -> DataReport:
    """Check a whole data set without a model."""
    inspection = Inspection(reading, checks)
    for _, row in inspection.rows():
        inspection.take(row)
    return inspection.report()


def inspect_file(path: Path, choice: Choice, settings: CheckSettings) -> DataReport:
    """Check a file without a model; one that can't be opened is a report as well.

    Args:
        path: A file or folder.
        choice: How the user wants rows to be read.
        settings: Of the run that it is for.
    """
    try:
        reading = open_data(path, choice)
    except StudioError as refused:
        return report_of_refused(path, refused.finding)
    except OSError as fault:
        return report_of_refused(path, unreadable(fault, path).finding)
    return inspect_rows(reading, checks_of(reading, settings))


def checks_of(reading: Reading, settings: CheckSettings) -> list[Check]:
    """New checks for a file that is about to be read."""
    return all_checks(settings, form=reading.form, confidence=reading.confidence)


def report_of_refused(path: Path, refused: Finding) -> DataReport:
    """The report of a file that can't be opened."""
    return DataReport(
        path=str(path),
        rows=0,
        usable=0,
        format_name="",
        confidence=0.0,
        mapping={},
        lengths=TokenLengths(counted=False),
        trained_tokens=0,
        all_tokens=0,
        findings=(told_once(refused),),
    )


def keys_of(path: Path, choice: Choice = RECOGNISE) -> "array[int]":
    """The keys of all rows of a file that can be trained on, as `row_key` has them.

    Raises:
        StudioError: It can't be opened or read.
    """
    try:
        examples = open_data(path, choice).examples()
        chats = (example for _, example in examples if isinstance(example, Chat))
        return array("Q", map(row_key, chats))
    except OSError as fault:
        raise unreadable(fault, path) from fault


def overlap_with(path: Path, choice: Choice, other: Path) -> DataFinding | None:
    """Which rows of a file stand in a second file as well, that is held out.

    Args:
        path: What is trained on.
        choice: How its rows are read.
        other: What is held out; its form is recognised.

    Returns:
        A finding about rows of the first file; None without any.

    Raises:
        StudioError: One of them can't be read.
    """
    seen, places = HashSet(keys_of(other)), Places()
    reading = open_data(path, choice)
    for raw, example in reading.examples():
        if isinstance(example, Chat) and row_key(example) in seen:
            places.add(checked_row(raw, example))
    stand = "stands" if places.count == 1 else "stand"
    return next(
        told(
            "data.overlap",
            places,
            f"{{rows}} {stand} in {other.name} as well, but for spaces and capitals.",
            why="What is measured on that file then looks better than it is.",
            fix="Leave them out of a new file; in a terminal: snugtune data fix FILE "
            f"--codes data.overlap --against {other.name} -o NEW.",
        ),
        None,
    )


def checked_row(
    raw: RawRow, example: Chat | RowError, *, is_of_form: bool = True
) -> CheckedRow:
    """A row as checks see it.

    Args:
        raw: As read.
        example: What became of it, as `Reading.examples` gives it.
        is_of_form: Whether it was read by its file's own format.
    """
    if isinstance(example, RowError):
        return CheckedRow(
            raw.line, None, fault=str(example), code=example.code, file=raw.file
        )
    return CheckedRow(raw.line, example, file=raw.file, is_of_form=is_of_form)


def told_once(refused: Finding) -> DataFinding:
    """A refusal of the whole file as a finding of its report."""
    return DataFinding(
        code=refused.code,
        severity=Severity.ERROR,
        count=0,
        rows=(),
        what=refused.what,
        why=refused.why,
        fix=refused.how_to_fix,
    )


def form_test(reading: Reading) -> Callable[[RawRow], bool]:
    """Tells whether a row has what its file's format reads."""
    parts = () if reading.format is None else reading.format.parts
    needed = [
        source_of(reading.mapping[part.name]) for part in parts if part.is_required
    ]

    def is_of_form(raw: RawRow) -> bool:
        row = raw.value
        return not isinstance(row, Mapping) or all(
            source.read(row) is not None for source in needed
        )

    return is_of_form
