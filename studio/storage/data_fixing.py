"""A data file mended: a new JSON Lines file beside it; the old one is never touched."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from studio.domain.data_checks.chat_texts import mended_value
from studio.domain.data_checks.duplicates import CopyFinder
from studio.domain.data_checks.mended_codes import MENDED, NEAR, TOKENS
from studio.domain.data_checks.row_key import row_key
from studio.domain.data_fixes import TEXT_MENDS, Fix, FixSettings, TokensOf, fix_of
from studio.domain.data_mapping import ColumnMapping
from studio.domain.dataset import Chat, Kind, RowError
from studio.domain.errors import refusal
from studio.plugin_api.data_formats import Row
from studio.storage.data_inspection import form_test, keys_of
from studio.storage.data_reading import Choice, Reading, open_data
from studio.storage.data_writing import columns_kept, json_line, row_of
from studio.storage.disk import unreadable
from studio.storage.documents import write_pieces_atomically
from studio.storage.tables.table import RawRow

_Steps = Sequence[tuple[str, Fix]]
SUFFIXES: Final = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixes:
    """What shall be mended.

    Attributes:
        codes: Of the findings.
        sequence_length: In tokens, for rows that are too long.
        tokens_of: Counts a row's tokens; None without a model.
        against: A second file or folder, whose rows nothing shall overlap with.
    """

    codes: Sequence[str]
    sequence_length: int = 0
    tokens_of: TokensOf | None = None
    against: Path | None = None


@dataclass(slots=True)
class FixReport:
    """What became of a file's rows.

    Attributes:
        path: The old file.
        out: The new one.
        rows: How many the old one has.
        kept: How many the new one has.
        changed: How many rows each code changed.
        dropped: How many rows each code left out; rows that can't be trained on are
            left out whether asked for or not.
    """

    path: str
    out: str
    rows: int = 0
    kept: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


def fix(
    path: Path, choice: Choice, fixes: Fixes, out: Path, *, overwrite: bool = False
) -> FixReport:
    """Write a new file of a file's rows, with findings mended.

    Chats are written as ``messages``, pairs, rated answers and texts in the standard
    columns of theirs; what else a row has, such as a source, is kept.

    Args:
        path: A file or folder of rows.
        choice: How they are read.
        fixes: What shall be mended.
        out: The new file.
        overwrite: Whether to replace a file that is there.

    Raises:
        StudioError: A code can't be mended, `out` is the old file or is there
            already, nothing would be left, or a file can't be read or written.
    """
    _refuse_codes(fixes)
    _refuse_place(path, out, overwrite=overwrite)
    reading = open_data(path, choice)
    report = FixReport(str(path), str(out))
    write_pieces_atomically(out, _lines(reading, fixes, report))
    return report


def _lines(reading: Reading, fixes: Fixes, report: FixReport) -> Iterator[bytes]:
    """The new file's lines.

    Raises:
        StudioError: The old file can't be read to its end, or there are none.
    """
    kind = Kind.CHAT if reading.format is None else reading.format.kind
    is_of_form = form_test(reading)
    try:
        for raw, chat in _mended(reading, fixes, report):
            report.kept += 1
            row = row_of(chat, kind)
            if is_of_form(raw):
                row = {**row, **_other_columns(raw, reading.mapping, kind, fixes)}
            yield json_line(row)
    except OSError as fault:
        raise unreadable(fault, reading.table.path) from fault
    if not report.kept:
        raise refusal(
            "data.nothing-left",
            f"None of the {report.rows:,} rows would be left.",
            why="No new file was written.",
            fix="Mend fewer findings, or mend the rows by hand.",
            where=str(reading.table.path),
        )


def _mended(
    reading: Reading, fixes: Fixes, report: FixReport
) -> Iterator[tuple[RawRow, Chat]]:
    """The rows that are kept, as they are then."""
    codes, settings = fixes.codes, _settings(fixes)
    copies: AbstractSet[int] = frozenset()
    if NEAR in codes:
        copies = _near_copies(reading, lambda: _steps(codes, settings))
    steps = _steps(codes, settings)
    for number, (raw, chat) in enumerate(_each_mended(reading, steps, report)):
        if number in copies:
            report.dropped[NEAR] += 1
        else:
            yield raw, chat


def _near_copies(reading: Reading, new_steps: Callable[[], _Steps]) -> AbstractSet[int]:
    """Which of the rows that are mended one by one nearly say what an earlier does.

    Which sequences most rows have, and so don't count, depends on the rows that are
    there. So they are gone through until nothing more is found.
    """
    found: set[int] = set()
    while True:
        more: set[int] = set()
        finder: CopyFinder[int] = CopyFinder(lambda _: None, more.add)
        passing = FixReport("", "")
        mended = _each_mended(reading, new_steps(), passing)
        for number, (_, chat) in enumerate(mended):
            if number not in found:
                finder.take(number, chat, row_key(chat))
        finder.finish()
        if not more:
            return found
        found |= more


def _each_mended(
    reading: Reading, steps: _Steps, report: FixReport
) -> Iterator[tuple[RawRow, Chat]]:
    """The rows as they are mended one by one."""
    for raw, example in reading.examples():
        report.rows += 1
        if isinstance(example, RowError):
            report.dropped[example.code] += 1
            continue
        chat = _through(steps, example, report)
        if chat is not None:
            yield raw, chat


def _settings(fixes: Fixes) -> FixSettings:
    return FixSettings(
        length=fixes.sequence_length,
        tokens_of=fixes.tokens_of,
        held_out=() if fixes.against is None else keys_of(fixes.against),
    )


def _steps(codes: Sequence[str], settings: FixSettings) -> _Steps:
    found = [(code, fix_of(code, settings)) for code in MENDED if code in codes]
    return [(code, step) for code, step in found if step is not None]


def _through(steps: _Steps, chat: Chat, report: FixReport) -> Chat | None:
    """A row after all that is done to it; None when it is left out."""
    for code, step in steps:
        try:
            mended = step(chat)
        except RowError as refused:
            report.dropped[refused.code] += 1
            return None
        if mended is None:
            report.dropped[code] += 1
            return None
        report.changed[code] += mended is not chat
        chat = mended
    return chat


def _other_columns(
    raw: RawRow, mapping: ColumnMapping, kind: Kind, fixes: Fixes
) -> Row:
    """The columns that are no part of an example, mended alike."""
    kept: object = columns_kept(raw.value, mapping, kind)
    for code in fixes.codes:
        if code in TEXT_MENDS:
            kept = mended_value(kept, TEXT_MENDS[code])
    return kept if isinstance(kept, Mapping) else {}


def _refuse_codes(fixes: Fixes) -> None:
    unknown = [code for code in fixes.codes if code not in MENDED]
    if unknown or not fixes.codes:
        named = ", ".join(f"“{code}”" for code in unknown)
        raise refusal(
            "data.fix-unknown",
            f"There is no fix for {named}." if unknown else "No finding is named.",
            fix=f"Name some of {', '.join(MENDED)}.",
            where="--codes",
        )
    if fixes.tokens_of is None and (counted := set(fixes.codes) & set(TOKENS)):
        raise refusal(
            "data.fix-needs-model",
            f"Which rows {' and '.join(sorted(counted))} is about depends on a model.",
            fix="Name the model.",
            where="--model",
        )


def _refuse_place(path: Path, out: Path, *, overwrite: bool) -> None:
    refused = _why_not(path.resolve(), out.resolve())
    if refused:
        raise refusal(
            "data.fix-place",
            refused,
            fix="Name a new file, such as one that ends in -mended.jsonl.",
            where=str(out),
        )
    if out.exists() and not overwrite:
        raise refusal(
            "data.fix-exists",
            "There is a file of this name already.",
            fix="Choose another name, or allow that it is replaced (--overwrite).",
            where=str(out),
        )


def _why_not(path: Path, out: Path) -> str:
    if out == path or (out.exists() and path.exists() and out.samefile(path)):
        return "The new file would be the old one."
    if path in out.parents:
        return "The new file would lie in the folder that is read."
    if out.is_dir():
        return "There is a folder of this name."
    if out.suffix.casefold() not in SUFFIXES:
        return f"The new file is JSON Lines, so its name ends in {SUFFIXES[0]}."
    return ""
