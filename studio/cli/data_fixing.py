"""`snugtune data fix`: a new file with findings mended."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.cli import terminal
from studio.domain.data_checks.mended_codes import MENDED
from studio.domain.recipe import Recipe
from studio.storage.data_fixing import Fixes, FixReport
from studio.storage.data_fixing import fix as fix_file
from studio.storage.data_reading import Choice

EPILOG = f"""Codes: {", ".join(MENDED)}

With --json:

{{"path", "out", "rows", "kept", "changes": [{{"code", "changed", "dropped"}}]}}

Rows that can't be trained on are never in the new file."""


@dataclass(frozen=True, slots=True)
class FixOrder:
    """What shall be mended.

    Attributes:
        file: The old file.
        codes: Of the findings.
        out: The new file.
        against: A second file that is held out.
    """

    file: Path
    codes: tuple[str, ...]
    out: Path
    against: Path | None = None


def codes_of(words: str) -> tuple[str, ...]:
    """Codes out of words with commas between them."""
    return tuple(code.strip() for code in words.split(",") if code.strip())


def fix(
    order: FixOrder, assignments: Sequence[str] | None, *, overwrite: bool, json: bool
) -> None:
    """Write the new file and say what was done.

    Raises:
        StudioError: As `studio.storage.data_fixing.fix` has them.
    """
    recipe = Recipe()
    for assignment in assignments or ():
        recipe = recipe.with_typed(assignment)
    fixes = Fixes(
        codes=order.codes,
        sequence_length=recipe.train.sequence_length,
        against=order.against,
    )
    choice = Choice.of(recipe.data)
    report = fix_file(order.file, choice, fixes, order.out, overwrite=overwrite)
    if json:
        terminal.say_json(document(report, fixes))
    else:
        say(report, fixes)


def document(report: FixReport, fixes: Fixes) -> dict[str, object]:
    """The result for programs."""
    return {
        "path": report.path,
        "out": report.out,
        "rows": report.rows,
        "kept": report.kept,
        "changes": [
            {"code": code, "changed": changed, "dropped": dropped}
            for code, changed, dropped in _changes(report, fixes)
        ],
    }


def say(report: FixReport, fixes: Fixes) -> None:
    """The result for reading."""
    header = ("Finding", "Changed", "Left out")
    terminal.say_table(
        header,
        [
            (code, f"{changed:,}", f"{dropped:,}")
            for code, changed, dropped in _changes(report, fixes)
        ],
    )
    terminal.say()
    terminal.say(f"{report.kept:,} of {report.rows:,} rows are in {report.out}.")


def _changes(report: FixReport, fixes: Fixes) -> list[tuple[str, int, int]]:
    """What each code did: those that were asked for, and rows that were left out."""
    told = [*MENDED, *report.dropped]
    codes = [c for c in dict.fromkeys(told) if c in fixes.codes or report.dropped[c]]
    return [(code, report.changed[code], report.dropped[code]) for code in codes]
