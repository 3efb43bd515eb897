"""How the command line speaks: plain lines, progress bars, JSON, sentences of error.

Progress goes to standard error, results to standard output, so that a script can
read the one and a person watch the other. Without a terminal there are no bars but
a line now and then.
"""

import json
import os
import select
import sys
import textwrap
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from studio.domain.finding import Finding, Severity
from studio.services.leading import ACCEPT_CHANGES
from studio.services.resuming import CHANGED

LINES_EVERY = 10  # steps between two lines of progress without a terminal
WIDTH = 88


def say(line: str = "") -> None:
    """Print a line of result."""
    print(line)


def say_text(text: str) -> None:
    """Print a sentence of result, wrapped for reading."""
    say(textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def say_piece(text: str) -> None:
    """Print a piece of a line as soon as it is there."""
    print(text, end="", flush=True)


def say_aside(line: str) -> None:
    """Print a line for the person who waits; a script that reads results skips it."""
    print(line, file=sys.stderr, flush=True)


def leave_closed_pipes() -> None:
    """Speak into the void where a reader has gone, instead of failing at each line."""
    for stream in (sys.stdout, sys.stderr):
        if _has_no_reader(stream.fileno()):
            void = os.open(os.devnull, os.O_WRONLY)
            os.dup2(void, stream.fileno())
            os.close(void)


def _has_no_reader(number: int) -> bool:
    if sys.platform == "win32":
        return True  # which of the two it is can't be asked there
    poll = select.poll()
    poll.register(number, 0)  # errors are always told
    return any(told & select.POLLERR for _, told in poll.poll(0))


def say_json(document: Mapping[str, object] | Sequence[object]) -> None:
    """Print a result for programs."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def say_finding(finding: Finding) -> None:
    """Print a problem on standard error, wrapped for reading.

    A flag that helps is named here: what the window says in the same words has a
    button for it.
    """
    word = {
        Severity.ERROR: "Error",
        Severity.WARNING: "Warning",
        Severity.INFO: "Note",
    }[finding.severity]
    print(
        textwrap.fill(
            f"{word}: {_plain(finding.sentence())}{_flag_words(finding)}",
            WIDTH,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        ),
        file=sys.stderr,
    )


def _plain(text: str) -> str:
    """A text without the controls that a file's or a library's words may hold."""
    return "".join(c if c.isprintable() or c.isspace() else "�" for c in text)


def _flag_words(finding: Finding) -> str:
    if finding.code != CHANGED or finding.severity is not Severity.ERROR:
        return ""
    return f" snugtune resume does so with {ACCEPT_CHANGES}."


def say_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, each as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())


def say_block(label: str, text: str) -> None:
    """Print a labelled text, wrapped and indented under its label."""
    body = textwrap.fill(" ".join(text.split()), WIDTH - 10) or "(no answer)"
    head, *rest = body.splitlines()
    say(f"  {label:<8}{head}")
    for line in rest:
        say(f"  {'':<8}{line}")


class ProgressDisplay:
    """Bars on a terminal, lines elsewhere; one bar at a time.

    Use as a context manager; what is shown goes to standard error.
    """

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars: Progress | None = None
        if self._console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description:<34}"),
                BarColumn(bar_width=24),
                TaskProgressColumn(),
                TextColumn("{task.fields[note]}"),
                TimeRemainingColumn(),
                console=self._console,
            )
        self._task: TaskID | None = None
        self._stage = ""
        self._tenth = -1

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars:
            self._bars.stop()

    def line(self, text: str) -> None:
        """Show a line above the bar."""
        if self._bars:
            self._bars.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def show(self, stage: str, done: float, total: float, note: str = "") -> None:
        """Show how far a stage has come; a total of 0 means unknown."""
        if self._bars:
            self._show_bar(self._bars, stage, done, total, note)
        else:
            self._show_line(stage, done, total, note)

    def _show_bar(
        self, bars: Progress, stage: str, done: float, total: float, note: str
    ) -> None:
        if stage != self._stage or self._task is None:
            if self._task is not None:
                bars.stop_task(self._task)
            self._task = bars.add_task(stage, note=note)
            self._stage = stage
        bars.update(self._task, completed=done, total=total or None, note=note)

    def _show_line(self, stage: str, done: float, total: float, note: str) -> None:
        tenth = int(LINES_EVERY * done / total) if total else 0
        if stage == self._stage and tenth == self._tenth:
            return
        self._stage, self._tenth = stage, tenth
        amount = f" {done / total:.0%}" if total else ""
        self.line(f"{stage}{amount}  {note}".rstrip())
