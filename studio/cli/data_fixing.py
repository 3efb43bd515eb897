"""`snugtune data fix`: a new file with findings mended."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.cli import terminal
from studio.cli.engine_run import run_engine
from studio.domain.data_checks.mended_codes import MENDED, TOKENS
from studio.domain.recipe import Recipe
from studio.protocol.data_events import DataFixed
from studio.protocol.events import EngineEvent, Progress
from studio.services.inspections import InspectionOrder
from studio.storage.data_fixing import Fixes, FixReport
from studio.storage.data_fixing import fix as fix_file
from studio.storage.data_reading import Choice

EPILOG = f"""Codes: {", ".join(MENDED)}

With --json:

{{"path", "out", "rows", "kept", "changes": [{{"code", "changed", "dropped"}}]}}

Rows that can't be trained on are never in the new file. Some codes need --model: {", ".join(TOKENS)}."""  # noqa: E501 - the terminal wraps it


@dataclass(frozen=True, slots=True, kw_only=True)
class FixOrder:
    """What shall be mended.

    Attributes:
        recipe: Names the old file, how it is read, and the sequence length.
        codes: Of the findings.
        out: The new file.
        model: Whose tokenizer counts; empty for none.
        against: A second file that is held out.
        overwrite: Whether to replace a file that is there.
    """

    recipe: Recipe
    codes: tuple[str, ...]
    out: Path
    model: str = ""
    against: Path | None = None
    overwrite: bool = False


def codes_of(words: str) -> tuple[str, ...]:
    """Codes out of words with commas between them."""
    return tuple(code.strip() for code in words.split(",") if code.strip())


def fix(order: FixOrder, *, json: bool) -> None:
    """Write the new file and say what was done.

    Raises:
        StudioError: As `studio.storage.data_fixing.fix` has them; or the model isn't
            here, or its chat template does harm.
    """
    needs_model = bool(set(order.codes) & set(TOKENS))
    report = _by_engine(order) if order.model and needs_model else _here(order)
    if json:
        terminal.say_json(document(report, order.codes))
    else:
        say(report, order.codes)


def _here(order: FixOrder) -> FixReport:
    data = order.recipe.data
    fixes = Fixes(codes=order.codes, against=order.against)
    path, choice = Path(data.path), Choice.of(data)
    return fix_file(path, choice, fixes, order.out, overwrite=order.overwrite)


def _by_engine(order: FixOrder) -> FixReport:
    """The same where tokens are counted."""
    with (
        terminal.ProgressDisplay() as display,
        tempfile.TemporaryDirectory(prefix="snugtune-") as folder,
    ):

        def hear(event: EngineEvent) -> None:
            if isinstance(event, Progress):
                note = f"{event.done:,.0f} rows"
                display.show(event.stage, event.done, event.total, note)

        about = InspectionOrder(order.recipe, order.model).arguments(Path(folder))
        options = ["--codes", ",".join(order.codes), "--out", str(order.out)]
        options += ["--against", str(order.against)] if order.against else []
        options += ["--overwrite"] if order.overwrite else []
        told = run_engine("fix-data", *about, *options, listener=hear)
    assert isinstance(told, DataFixed)
    return FixReport(
        path=told.path,
        out=told.out,
        rows=told.rows,
        kept=told.kept,
        changed=Counter(told.changed),
        dropped=Counter(told.dropped),
    )


def document(report: FixReport, codes: Sequence[str]) -> dict[str, object]:
    """The result for programs."""
    return {
        "path": report.path,
        "out": report.out,
        "rows": report.rows,
        "kept": report.kept,
        "changes": [
            {"code": code, "changed": changed, "dropped": dropped}
            for code, changed, dropped in _changes(report, codes)
        ],
    }


def say(report: FixReport, codes: Sequence[str]) -> None:
    """The result for reading."""
    header = ("Finding", "Changed", "Left out")
    terminal.say_table(
        header,
        [
            (code, f"{changed:,}", f"{dropped:,}")
            for code, changed, dropped in _changes(report, codes)
        ],
    )
    terminal.say()
    terminal.say(f"{report.kept:,} of {report.rows:,} rows are in {report.out}.")


def _changes(report: FixReport, codes: Sequence[str]) -> list[tuple[str, int, int]]:
    """What each code did: those that were asked for, and rows that were left out."""
    told = [*MENDED, *report.dropped]
    named = [c for c in dict.fromkeys(told) if c in codes or report.dropped[c]]
    return [(code, report.changed[code], report.dropped[code]) for code in named]
