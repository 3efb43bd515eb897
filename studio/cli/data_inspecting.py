"""`snugtune data inspect`: a whole data set, checked."""

import tempfile
from dataclasses import replace
from pathlib import Path

from studio.cli import terminal
from studio.cli.engine_run import run_engine
from studio.domain.data_report import DataReport
from studio.domain.errors import ExitCode
from studio.domain.finding import Severity
from studio.domain.recipe import Recipe
from studio.domain.token_lengths import TokenLengths
from studio.protocol.data_events import DataInspected
from studio.protocol.events import EngineEvent, Progress
from studio.services.inspections import VERB, InspectionOrder
from studio.storage.data_index import report_of
from studio.storage.data_inspection import overlap_with
from studio.storage.data_reading import Choice

EPILOG = """Without --model lengths are judged by characters, and what needs a tokenizer isn't checked.

With --json:

{"rows", "usable", "format", "confidence", "mapping", "counted", "lengths": {"p50", "p95", "p99", "max"}, "trained_tokens", "all_tokens", "findings": [{"code", "severity", "count", "rows", "what", "why", "fix", "mends"}]}

lengths are in tokens of the usable rows; counted says whether a tokenizer counted them. rows of a finding names the first 1,000 lines, count counts all. mends: whether data fix does it.

Exit code 10 when nothing can be trained before an error is mended."""  # noqa: E501 - the terminal wraps it


def inspect(
    recipe: Recipe, model: str, against: Path | None = None, *, json: bool
) -> ExitCode:
    """Inspect a data set and say what was found.

    Args:
        recipe: Names the data.
        model: Whose tokenizer counts; empty for none.
        against: A second file, whose rows should not be among these.
        json: For programs.

    Raises:
        StudioError: The model isn't here, or its chat template does harm.
    """
    order = InspectionOrder(recipe, model)
    report = order.known_report() or _inspected(order)
    if against is not None:
        report = _compared(report, recipe, against)
    if json:
        terminal.say_json(document(report))
    else:
        say(report)
    errors = any(each.severity is Severity.ERROR for each in report.findings)
    return ExitCode.BAD_INPUT if errors else ExitCode.OK


def _inspected(order: InspectionOrder) -> DataReport:
    with (
        terminal.ProgressDisplay() as display,
        tempfile.TemporaryDirectory(prefix="snugtune-") as folder,
    ):

        def hear(event: EngineEvent) -> None:
            if isinstance(event, Progress):
                note = f"{event.done:,.0f} rows"
                display.show(event.stage, event.done, event.total, note)

        told = run_engine(VERB, *order.arguments(Path(folder)), listener=hear)
    assert isinstance(told, DataInspected)
    return report_of(told)


def _compared(report: DataReport, recipe: Recipe, other: Path) -> DataReport:
    """A report with what a second file has in common with the data set."""
    data = recipe.data
    found = overlap_with(Path(data.path), Choice.of(data), other.expanduser())
    return replace(report, findings=(*report.findings, *([found] if found else [])))


def document(report: DataReport) -> dict[str, object]:
    """The result for programs."""
    return {
        "rows": report.rows,
        "usable": report.usable,
        "format": report.format_name,
        "confidence": report.confidence,
        "mapping": dict(report.mapping),
        "counted": report.lengths.counted,
        "lengths": _lengths(report.lengths),
        "trained_tokens": report.trained_tokens,
        "all_tokens": report.all_tokens,
        "findings": [
            {
                "code": each.code,
                "severity": each.severity.value,
                "count": each.count,
                "rows": list(each.rows),
                "what": each.what,
                "why": each.why,
                "fix": each.fix,
                "mends": each.mends,
            }
            for each in report.findings
        ],
    }


def say(report: DataReport) -> None:
    """The result for reading; findings go to standard error."""
    for title, value in _lines(report):
        terminal.say(f"{title:<14}{value}")
    for each in report.findings:
        terminal.say_finding(each.as_finding())
    if not report.findings:
        terminal.say("Nothing was found to be wrong.")


def _lengths(lengths: TokenLengths) -> dict[str, int]:
    return {
        "p50": lengths.whole_at(0.5),
        "p95": lengths.whole_at(0.95),
        "p99": lengths.whole_at(0.99),
        "max": lengths.longest,
    }


def _lines(report: DataReport) -> list[tuple[str, str]]:
    lengths = _lengths(report.lengths)
    judged = "" if report.lengths.counted else ", judged by characters"
    form = report.format_name or "unknown"
    columns = ", ".join(f"{part} = {name}" for part, name in report.mapping.items())
    shares = f"half have at most {lengths['p50']:,}, 95 % {lengths['p95']:,}, "
    shares += f"99 % {lengths['p99']:,}, all {lengths['max']:,}{judged}"
    lines = [
        ("Rows", f"{report.rows:,}, of which {report.usable:,} can be trained on"),
        ("Read as", f"{form} ({report.confidence:.0%} sure)"),
        ("Columns", columns or "-"),
        ("Tokens a row", shares),
    ]
    if report.all_tokens:
        share = report.trained_tokens / report.all_tokens
        lines.append(
            ("Learnt", f"{report.trained_tokens:,} tokens in a pass ({share:.0%})")
        )
    return lines
