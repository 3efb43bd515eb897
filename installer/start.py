"""Sets Snugtune up and starts it: python3 installer/start.py.

With a display the window opens with the example ready; without one, or with
--headless, the same example is trained in the terminal.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the only file an old Python can read
    sys.exit(
        f"Snugtune needs Python 3.11 or later; this is {sys.version.split()[0]}"
        f" ({sys.executable}). Start it with a newer one: python3.12 {sys.argv[0]}"
    )

import argparse
import json
import os
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from choose import AUTOMATIC, choose
from console import Console, SetUpError
from environment import clean_variables
from execute import ENGINE, INDEX_VARIABLE
from facts import Display, Facts, facts_from_json, facts_to_json
from matrix import load_matrix
from plan import Refusal
from probe import probe
from qt_libraries import install_line, stops_a_window
from set_up import Ready, add_arguments, request_from, set_up

if TYPE_CHECKING:
    from collections.abc import Sequence

_REFUSED = 2
_FAILED = 1
_INTERRUPTED = 130


def main(arguments: Sequence[str]) -> int:
    """Set up, then run the main job; return its exit code."""
    parser = _parser()
    options, forwarded = parser.parse_known_args(arguments)
    if options.facts and not options.dry_run:
        parser.error("--facts describes another machine: it goes with --dry-run")
    console = Console()
    try:
        if options.dry_run:
            return _dry_run(options)
        ready = set_up(request_from(options, (ENGINE,)), console)
        return _run_main_job(ready, forwarded, headless=options.headless)
    except SetUpError as error:
        sys.stdout.flush()
        print(error.text(), file=sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        console.say("Stopped. Start again to go on; what is there is kept.")
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Set Snugtune up and start it.",
        epilog="Other options are handed to Snugtune.",
        allow_abbrev=False,
    )
    add_arguments(parser)
    parser.add_argument(
        "--headless", action="store_true", help="train the example in the terminal"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the plan as JSON, do nothing"
    )
    parser.add_argument(
        "--facts",
        type=Path,
        metavar="FILE",
        help="with --dry-run: plan for the machine described in this JSON file",
    )
    return parser


def _dry_run(options: argparse.Namespace) -> int:
    """Print what would be set up; a refusal ends with exit code 2."""
    facts = _read_facts(options.facts) if options.facts else probe(options.prefix)
    chosen = choose(
        facts,
        load_matrix(),
        options.torch or AUTOMATIC,
        os.environ.get(INDEX_VARIABLE) or None,
    )
    refused = isinstance(chosen, Refusal)
    kind = "refusal" if refused else "plan"
    print(json.dumps({kind: asdict(chosen), "facts": facts_to_json(facts)}, indent=2))
    return _REFUSED if refused else 0


def _read_facts(path: Path) -> Facts:
    try:
        return facts_from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        message = f"The facts in {path} can't be read: {error}."
        raise SetUpError(message, "Name a JSON file with --facts.") from error


def _run_main_job(ready: Ready, forwarded: Sequence[str], *, headless: bool) -> int:
    """Open the window with the example, or train it in the terminal."""
    facts = ready.facts
    window = facts.display is not Display.NONE and not headless
    missing = stops_a_window(facts) if window else ()
    if missing:
        raise SetUpError(
            f"A window can't be opened: {', '.join(missing)} missing.",
            f"{install_line(facts)}\nOr train the example in the terminal: --headless.",
        )
    job = ["--example"] if window else ["demo"]
    python = str(ready.environment.python)
    command = [python, "-m", "studio", *job, *forwarded]
    variables = clean_variables(os.environ)
    sys.stdout.flush()
    if sys.platform == "win32":
        return subprocess.run(command, env=variables, check=False).returncode
    return os.execve(python, command, variables)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
