"""The one reader of data: window, command line and engine see the same examples.

A row that can't be trained on is told with its line and left out; the others are kept.
The rows of a large file stay on the disk.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, overload

from studio.domain.dataset import Chat, ChatFile, Kind, RowError, group_number
from studio.domain.drafts import REJECTED, Review
from studio.domain.errors import StudioError, refusal
from studio.domain.finding import Finding, Severity, warning
from studio.domain.token_lengths import TokenLengths
from studio.storage.data_reading import RECOGNISE, Choice, Reading, open_data
from studio.storage.disk import unreadable
from studio.storage.tables.table import RawRow, changed

_NAMED_LINES: Final = 10
_MOST_REASONS: Final = 50
KEPT_BYTES: Final = 16 << 20
"""The rows of a file that is no larger are held in memory."""
_CACHED: Final = 512


def read_chats(
    path: Path, choice: Choice = RECOGNISE, *, most_rows: int | None = None
) -> ChatFile:
    """Read a file of examples.

    Args:
        path: JSON Lines, JSON, CSV or TSV, Parquet, Arrow, plain text, or a folder of
            them; text in UTF-8, a byte order mark is accepted.
        choice: How the user wants rows to be read.
        most_rows: End after as many rows, for a first look.

    Returns:
        The rows that can be trained on, and findings about the others.

    Raises:
        StudioError: No such file, empty, not UTF-8, an array that breaks off, or not
            a single row to train on.
    """
    try:
        reading = open_data(path, choice)
        keeps = reading.table.size_bytes <= KEPT_BYTES
        collected = Collected(keeps=keeps, grouped=bool(choice.group))
        examples = reading.examples()
        collected.take(islice(examples, most_rows))
        is_whole = most_rows is None or next(examples, None) is None
    except OSError as fault:
        raise unreadable(fault, path) from fault
    file = checked_file(reading, collected, is_whole=is_whole)
    if choice.group and is_whole and collected.alone == len(collected.places):
        raise _no_group(choice.group, reading)
    return file


class StoredChats(Sequence[Chat]):
    """Examples that stay on the disk until they are asked for.

    Attributes:
        lines: Of each example, as `Chat.line` has it.
    """

    def __init__(
        self, reading: Reading, places: Sequence[int], lines: Sequence[int]
    ) -> None:
        """Take the places of the rows that can be trained on.

        Args:
            reading: Of their file.
            places: As `RawRow.place` has them, in file order.
            lines: As `RawRow.line` has them.
        """
        self._reading, self._places, self.lines = reading, places, lines
        self._cached: dict[int, Chat] = {}

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Chat: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Chat]: ...
    def __getitem__(self, at: int | slice) -> Chat | Sequence[Chat]:
        """An example; raises a StudioError when the file was changed since."""
        if isinstance(at, slice):
            return [self[each] for each in range(*at.indices(len(self)))]
        at = range(len(self))[at]
        if at not in self._cached:
            if len(self._cached) >= _CACHED:
                self._cached.clear()
            self._cached[at] = self._read(at)
        return self._cached[at]

    def place_of(self, at: int) -> int:
        """Where an example lies, as `RawRow.place` has it."""
        return self._places[at]

    def _read(self, at: int) -> Chat:
        try:
            row = self._reading.row_at(self.lines[at], self._places[at])
            return self._reading.example_of(row)
        except (OSError, RowError):
            raise changed(self._reading.table.path) from None


@dataclass(slots=True)
class Collected:
    """What was read so far.

    Attributes:
        keeps: Whether the examples are kept, which only a small file's are.
        grouped: Whether something keeps rows together.
        chats: The examples, when they are kept.
        places: Of the rows that can be trained on, as `RawRow.place` has them.
        lines: Theirs, as `RawRow.line` has them.
        characters: How long they are.
        faults: The first places of the others, by their fault.
        groups: A number for each row, when something keeps rows together.
        left_out: How many rows can't be trained on.
        alone: How many rows have no group, when others have.
        unreviewed: How many rows are drafts that nobody has judged.
    """

    keeps: bool
    grouped: bool = False
    chats: list[Chat] = field(default_factory=list)
    places: "array[int]" = field(default_factory=lambda: array("Q"))
    lines: "array[int]" = field(default_factory=lambda: array("L"))
    characters: "array[int]" = field(default_factory=lambda: array("L"))
    faults: dict[str, list[str]] = field(default_factory=dict)
    groups: "array[int]" = field(default_factory=lambda: array("Q"))
    left_out: int = 0
    alone: int = 0
    unreviewed: int = 0

    def take(self, examples: Iterable[tuple[RawRow, Chat | RowError]]) -> None:
        """Keep examples, and remember why the others can't be kept."""
        for row, example in examples:
            self.add(row, example)

    def add(self, row: RawRow, example: Chat | RowError) -> None:
        """Keep one example, or remember why it can't be kept."""
        if isinstance(example, RowError):
            self._leave_out(row, str(example))
        else:
            self._keep(row, example)

    def _keep(self, row: RawRow, example: Chat) -> None:
        self.places.append(row.place)
        self.lines.append(row.line)
        self.characters.append(example.characters())
        self.unreviewed += example.review == Review.OPEN
        if self.grouped:
            self.alone += not example.group
            self.groups.append(group_number(example.group, len(self.groups)))
        if self.keeps:
            self.chats.append(example)

    def _leave_out(self, row: RawRow, why: str) -> None:
        self.left_out += 1
        named = self.faults.setdefault(why, [])
        in_file = f"{row.file}, line " if row.file else ""
        named.append(f"{in_file}{row.line:,}" if len(named) < _NAMED_LINES else "")


def checked_file(
    reading: Reading,
    collected: Collected,
    *,
    is_whole: bool,
    lengths: TokenLengths | None = None,
) -> ChatFile:
    """The file that was collected.

    Args:
        reading: Of it.
        collected: What was read of it; its chats stay on the disk unless it keeps them.
        is_whole: Whether that is all of it.
        lengths: Of the rows, when they are known; else judged by characters.

    Raises:
        StudioError: It holds no row, or none that can be trained on.
    """
    path, faults, rows = reading.table.path, collected.faults, len(collected.places)
    if not rows and not faults:
        raise refusal(
            "data.empty",
            "The file holds no rows.",
            fix="Choose a file with at least one chat.",
            where=str(path),
        )
    if not rows:
        reason, lines = next(iter(faults.items()))
        raise refusal(
            "data.no-usable-row",
            f"None of the {collected.left_out:,} rows can be trained on: "
            f"line {lines[0]} {reason}.",
            fix="Assign its columns by hand, or write one JSON object a line, such as "
            '{"messages": [{"role": "user", "content": "…"}, '
            '{"role": "assistant", "content": "…"}]}.',
            where=str(path),
        )
    chats: Sequence[Chat] = tuple(collected.chats)
    if not collected.keeps:
        chats = StoredChats(reading, collected.places, collected.lines)
    return ChatFile(
        path=str(path),
        chats=chats,
        findings=_findings(collected),
        size_bytes=reading.table.size_bytes,
        form=reading.form,
        left_out=collected.left_out,
        format_name="" if reading.format is None else reading.format.name,
        kind=Kind.CHAT if reading.format is None else reading.format.kind,
        confidence=reading.confidence,
        mapping=reading.mapping,
        columns=reading.columns,
        lengths=lengths or TokenLengths.judged(collected.characters),
        is_whole=is_whole,
        groups=collected.groups,
    )


def _findings(collected: Collected) -> tuple[Finding, ...]:
    told = list(collected.faults.items())[:_MOST_REASONS]
    kept = len(collected.places)
    found = [_told(why, lines, kept) for why, lines in told]
    if collected.unreviewed:
        found.append(unreviewed(collected.unreviewed))
    if collected.alone:
        found.append(_some_alone(collected.alone))
    return tuple(found)


def unreviewed(count: int) -> Finding:
    """That drafts are trained on which nobody has judged yet."""
    drafts = "draft is" if count == 1 else "drafts are"
    return warning(
        "data.unreviewed",
        f"{count:,} {drafts} not reviewed yet.",
        why="A model made them, and nobody has read them; they are trained on as any "
        "row.",
        fix="Review them by snugtune data review.",
        where="review",
    )


def _some_alone(count: int) -> Finding:
    rows = "row has" if count == 1 else "rows have"
    return warning(
        "data.group-missing",
        f"{count:,} {rows} nothing in the column that keeps rows together.",
        why="Each counts as a group of its own.",
        fix="Fill the column, or choose another one.",
        where="data.group",
    )


def _no_group(group: str, reading: Reading) -> StudioError:
    columns = ", ".join(reading.columns) or "none"
    return refusal(
        "data.group-missing",
        f"No row has anything in “{group}”, which shall keep rows together.",
        why=f"The file's columns: {columns}.",
        fix="Choose another column (data.group), or none.",
        where="data.group",
    )


def _told(reason: str, lines: list[str], kept: int) -> Finding:
    named = ", ".join(lines[:_NAMED_LINES])
    if len(lines) == 1:
        what = f"Line {named} {reason}."
    else:
        more = len(lines) - _NAMED_LINES
        others = f" and {more:,} more" if more > 0 else ""
        what = f"{len(lines):,} rows are left out: each {reason} ({named}{others})."
    read = f"The other {kept:,} rows are read and kept."
    where = f"line {lines[0]}"
    if reason == REJECTED:
        return Finding(
            code="data.rejected",
            severity=Severity.INFO,
            what=what,
            why=read,
            where=where,
        )
    return warning(
        "data.row",
        what,
        why=read,
        fix="Mend the rows in the file, or train without them.",
        where=where,
    )
