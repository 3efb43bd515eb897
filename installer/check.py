"""Sets Snugtune up with its test tools and runs every check: installer/check.py.

All checks run, also after one failed; the exit code is 0 only if none did.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the only file an old Python can read
    sys.exit(
        f"Snugtune needs Python 3.11 or later; this is {sys.version.split()[0]}"
        f" ({sys.executable}). Start it with a newer one: python3.12 {sys.argv[0]}"
    )

import argparse
import os
import re
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console import Console, SetUpError, duration
from environment import Environment, clean_variables
from execute import ENGINE, TEST
from set_up import REPOSITORY, add_arguments, request_from, set_up

if TYPE_CHECKING:
    from collections.abc import Sequence

_FAILED = 1
_INTERRUPTED = 130
_MINUTE_S = 60
_CLOSING = re.compile(
    r"\b(passed|failed|errors?|skipped|no tests ran)\b.* in [\d.]+s\b"
)
_COUNT = re.compile(r"\b(\d+) (passed|failed|skipped|error)")


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: As given to --only.
        arguments: What the environment's Python is to run.
        limit_s: After this many seconds it is ended and has failed.
    """

    name: str
    arguments: tuple[str, ...]
    limit_s: float


_LINT_IMPORTS = "from importlinter.cli import lint_imports_command as main; main()"
# Two at a time, since most tests wait for one core. A file stays together, for what its
# tests share is made once, and the longest files come first as they lie.
_TESTS = (
    *("-m", "pytest", "tests", "--ignore=tests/bench"),
    *("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder"),
)
CHECKS = (
    Check("lint", ("-m", "ruff", "check", "."), 2 * _MINUTE_S),
    Check("format", ("-m", "ruff", "format", "--check", "."), 2 * _MINUTE_S),
    Check("types", ("-m", "mypy"), 10 * _MINUTE_S),
    Check("imports", ("-c", _LINT_IMPORTS), 5 * _MINUTE_S),
    Check("tests", _TESTS, 45 * _MINUTE_S),
    Check("bench", ("-m", "pytest", "tests/bench"), 10 * _MINUTE_S),
)


@dataclass(frozen=True)
class Verdict:
    """How a check ended.

    Attributes:
        check: Which.
        seconds: How long it took.
        problem: Why it failed; empty if it passed.
        counts: Tests by outcome, for a check that runs tests.
    """

    check: Check
    seconds: float
    problem: str
    counts: dict[str, int]


def main(arguments: Sequence[str]) -> int:
    """Set up, run the checks, and return 0 if all passed."""
    parser = argparse.ArgumentParser(
        description="Set Snugtune up with its test tools and run every check.",
        allow_abbrev=False,
    )
    add_arguments(parser)
    names = [check.name for check in CHECKS]
    parser.add_argument(
        "--only", action="append", choices=names, help="run this check alone"
    )
    options = parser.parse_args(arguments)
    console = Console()
    try:
        ready = set_up(request_from(options, (ENGINE, TEST)), console)
        chosen = [check for check in CHECKS if check.name in (options.only or names)]
        verdicts = [run_check(ready.environment, check, console) for check in chosen]
    except SetUpError as error:
        sys.stdout.flush()
        print(error.text(), file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        console.say("Stopped. Start again to go on; what is there is kept.")
        return _INTERRUPTED
    return report(verdicts, console)


def run_check(environment: Environment, check: Check, console: Console) -> Verdict:
    """Run one check, showing its output as it comes."""
    console.say(f"\n== {check.name}: python {' '.join(check.arguments)}")
    python = str(environment.python)
    begun = time.monotonic()
    code, lines, late = _run([python, *check.arguments], check.limit_s, console)
    problem = f"exit code {code}" if code else ""
    if late:
        problem = f"ended after {duration(check.limit_s)}"
    counts = _counts(lines)
    seconds = time.monotonic() - begun
    verdict = "failed" if problem else "passed"
    console.say(f"== {check.name} {verdict} in {duration(seconds)}")
    return Verdict(check, seconds, problem, counts)


def _run(
    command: Sequence[str], limit_s: float, console: Console
) -> tuple[int, list[str], bool]:
    """Run a command in a group of its own.

    Returns:
        Its exit code, its last lines, and whether it was ended for taking too long.
    """
    variables = {**clean_variables(os.environ), "QT_QPA_PLATFORM": "offscreen"}
    lines: list[str] = []
    late = threading.Event()
    with subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:

        def end() -> None:
            late.set()
            _end_group(process)

        timer = threading.Timer(limit_s, end)
        timer.start()
        try:
            for line in process.stdout or ():
                console.say(line.rstrip("\n"))
                lines.append(line.rstrip())
        except BaseException:
            _end_group(process)
            raise
        finally:
            timer.cancel()
    return process.returncode, lines[-200:], late.is_set()


def _end_group(process: subprocess.Popen[str]) -> None:
    """End a check and all it started."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


def _counts(lines: Sequence[str]) -> dict[str, int]:
    """Read the closing line of pytest."""
    closing = next((line for line in reversed(lines) if _CLOSING.search(line)), "")
    return {outcome: int(number) for number, outcome in _COUNT.findall(closing)}


def report(verdicts: Sequence[Verdict], console: Console) -> int:
    """Print the verdicts and the sum of all tests; return the exit code."""
    console.say("\n== All checks")
    for verdict in verdicts:
        words = verdict.problem or "passed"
        console.say(f"{verdict.check.name:<8} {duration(verdict.seconds):>13}  {words}")
    failures = [verdict.check.name for verdict in verdicts if verdict.problem]
    if failures:
        console.say(f"Failed: {', '.join(failures)}.")
    counted = [verdict.counts for verdict in verdicts if verdict.counts]
    if counted:
        passed, failed, skipped, errors = (
            sum(counts.get(outcome, 0) for counts in counted)
            for outcome in ("passed", "failed", "skipped", "error")
        )
        ending = f", {skipped} skipped" if skipped else ""
        console.say(f"{passed} passed, {failed + errors} failed{ending}")
    return _FAILED if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
