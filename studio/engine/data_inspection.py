"""The verb inspect-data: a whole data set read, rendered, counted and checked."""

import os
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from studio.domain.data_checks.all_checks import CheckSettings
from studio.domain.data_checks.check import CheckedRow, RowTokens
from studio.domain.data_report import DataReport
from studio.domain.dataset import RowError
from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.engine.session import Session
from studio.engine.staging import whole_folder
from studio.protocol.data_events import DataInspected
from studio.protocol.data_words import told_report
from studio.protocol.events import LogLine, Progress
from studio.storage.data_index import IndexDraft, key_of, let_old_go
from studio.storage.data_inspection import (
    Inspection,
    checks_of,
    ordered,
    overlap_with,
    report_of_refused,
    told_once,
)
from studio.storage.data_reading import Choice, Reading, open_data
from studio.storage.disk import unreadable
from studio.storage.models import ModelPlace
from studio.storage.tables.delimited import Delimited
from studio.storage.tables.json_lines import JsonLines
from studio.storage.tables.table import RawRow
from studio.system.paths import data_indexes_dir

if TYPE_CHECKING:
    from studio.engine.chat_rendering import RowMaker, TokenRow

_AT_ONCE: Final = 256
_MOST_CHARACTERS: Final = 1 << 20
"""Of rows that are held with all their tokens' places, 200 bytes for each."""
_PROGRESS_EVERY_S: Final = 0.25
_NICENESS: Final = 5
_GENERATION: Final = "generation %}"

_Rows = Sequence[tuple[RawRow, CheckedRow]]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be inspected.

    Attributes:
        recipe: Names the data, how it is read, and the sequence length.
        place: The model that shall learn from it; None to find what needs no tokens.
    """

    recipe: Recipe
    place: ModelPlace | None


def inspect_data(session: Session, subject: Subject) -> DataInspected:
    """Inspect a data set.

    Args:
        session: Told of progress.
        subject: What to inspect.

    Returns:
        The result; one that can't be opened is a result as well.

    Raises:
        StudioError: The model has no tokenizer, or its chat template does harm.
    """
    data = subject.recipe.data
    path = Path(data.path).expanduser()
    try:
        reading = open_data(path, Choice.of(data))
    except StudioError as refused:
        return told_report(report_of_refused(path, refused.finding))
    except OSError as fault:
        return told_report(report_of_refused(path, unreadable(fault, path).finding))
    maker, marks = _maker_of(subject)
    settings = CheckSettings.of(subject.recipe, marks_answers=marks)
    inspection = Inspection(reading, checks_of(reading, settings))
    draft = IndexDraft.of(Choice.of(data))
    length = subject.recipe.train.sequence_length
    said = _Said(session, reading)
    with ThreadPoolExecutor(1) as beside:
        for rows in _counted(inspection.rows(), maker, length, beside):
            for raw, row in rows:
                inspection.take(row)
                draft.add(raw, row)
            said.progress(rows)
    report = _with_overlap(inspection.report(), subject.recipe)
    return _kept(session, draft, report, subject)


def _with_overlap(report: DataReport, recipe: Recipe) -> DataReport:
    """A report with what the file held out has in common with the data set."""
    data = recipe.data
    if not data.held_out_file:
        return report
    other = Path(data.held_out_file).expanduser()
    try:
        found = overlap_with(Path(data.path).expanduser(), Choice.of(data), other)
    except StudioError as refused:
        found = told_once(refused.finding)
    if found is None:
        return report
    # A new file without them is made by a command that names the other file.
    told = replace(found, mends=False)
    return replace(report, findings=ordered((*report.findings, told)))


def step_back() -> None:
    """Let the window and its user go first, and use all cores that are idle."""
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    if sys.platform != "win32":
        os.nice(_NICENESS)


def _maker_of(subject: Subject) -> "tuple[RowMaker | None, bool | None]":
    """What makes tokens of rows, and whether its template marks what is generated."""
    if subject.place is None:
        return None, None
    from studio.engine.tokenizer_alone import tokenizer_alone

    tokenizer = tokenizer_alone(subject.place)
    from studio.engine.chat_rendering import RowMaker

    maker = RowMaker(tokenizer, subject.recipe.data.loss_on)
    return maker, _GENERATION in str(tokenizer.chat_template)


def _batches(rows: Iterator[tuple[RawRow, CheckedRow]]) -> Iterator[_Rows]:
    """Some rows at a time, fewer of them where they are long."""
    batch: list[tuple[RawRow, CheckedRow]] = []
    characters = 0
    for raw, row in rows:
        batch.append((raw, row))
        characters += 0 if row.chat is None else row.chat.characters()
        if len(batch) == _AT_ONCE or characters > _MOST_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _counted(
    rows: Iterator[tuple[RawRow, CheckedRow]],
    maker: "RowMaker | None",
    length: int,
    beside: Executor,
) -> Iterator[_Rows]:
    """Rows with their tokens, or with why the model's template refuses them.

    A tokenizer works outside Python, so while it is at some rows the next ones are
    rendered and the last ones are checked.
    """
    if maker is None:
        yield from _batches(rows)
        return
    under_way: deque[tuple[_Rows, Future[list[TokenRow | RowError]]]] = deque()
    for batch in _batches(rows):
        chats = [row.chat for _, row in batch if row.chat is not None]
        rendered = maker.rendered_rows(chats)
        under_way.append((batch, beside.submit(maker.tokenised, rendered)))
        if len(under_way) > 1:
            before, made = under_way.popleft()
            yield _with_tokens(before, made.result(), length)
    for before, made in under_way:
        yield _with_tokens(before, made.result(), length)


def _with_tokens(
    rows: _Rows, made: Iterable["TokenRow | RowError"], length: int
) -> _Rows:
    coming, counted = iter(made), []
    for raw, row in rows:
        if row.chat is None:
            counted.append((raw, row))
            continue
        found = next(coming)
        if isinstance(found, RowError):
            counted.append((raw, replace(row, fault=str(found), code=found.code)))
        else:
            trained = found.trained_within(length)
            tokens = RowTokens(len(found.ids), trained, found.ends)
            counted.append((raw, replace(row, tokens=tokens)))
    return counted


def _kept(
    session: Session, draft: IndexDraft, report: DataReport, subject: Subject
) -> DataInspected:
    """The result, its index written where it can be."""
    root = data_indexes_dir()
    try:
        final = root / key_of(subject.recipe, subject.place)
        with session.lifeline.held(), whole_folder(final, replace=True) as folder:
            draft.write(folder, report, final)
    except (OSError, StudioError) as refused:
        session.say(LogLine(level="warning", text=str(refused)))
        return told_report(report)
    let_old_go(root)
    return told_report(report, str(final))


class _Said:
    """Tells how many rows are done, of how many as far as can be judged."""

    def __init__(self, session: Session, reading: Reading) -> None:
        self._session, self._table = session, reading.table
        self._by_place = isinstance(reading.table, JsonLines | Delimited)
        self._done = self._characters = 0
        self._began = self._last = time.monotonic()

    def progress(self, rows: _Rows) -> None:
        """Count some rows as done."""
        self._done += len(rows)
        if not self._by_place:
            self._characters += sum(
                row.chat.characters() for _, row in rows if row.chat is not None
            )
        now = time.monotonic()
        if now - self._last < _PROGRESS_EVERY_S:
            return
        self._last = now
        total = max(self._done, self._judged(rows[-1][0]))
        left = (now - self._began) * (total / self._done - 1)
        self._session.say(
            Progress(
                stage="Reading the rows",
                done=float(self._done),
                total=float(total),
                unit="rows",
                eta_s=left,
            )
        )

    def _judged(self, last: RawRow) -> int:
        seen = last.place if self._by_place else self._characters
        return round(self._done * self._table.size_bytes / max(1, seen))
