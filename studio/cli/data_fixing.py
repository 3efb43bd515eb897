"""`snugtune data fix`: a new file with findings mended."""

from collections.abc import Sequence
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


def fix(
    file: Path,
    codes: str,
    out: Path,
    assignments: Sequence[str] | None,
    *,
    overwrite: bool,
    json: bool,
) -> None:
    """Write the new file and say what was done.

    Raises:
        StudioError: As `studio.storage.data_fixing.fix` has them.
    """
    recipe = Recipe()
    for assignment in assignments or ():
        recipe = recipe.with_typed(assignment)
    fixes = Fixes(
        codes=tuple(code.strip() for code in codes.split(",") if code.strip()),
        sequence_length=recipe.train.sequence_length,
    )
    report = fix_file(file, Choice.of(recipe.data), fixes, out, overwrite=overwrite)
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
