"""Sets Snugtune up in a folder, or finds in a moment that this has been done.

Looks at the machine, chooses torch, carries the plan out, proves it, and writes the
manifest last: at whatever point it is cut off, the next start sees a folder without
a valid manifest and repairs it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from choose import AUTOMATIC, choose, tags
from commands import Commands, Run
from console import Console, SetUpError
from environment import Environment
from execute import ENGINE, INDEX_VARIABLE, Job, execute
from facts import Facts, facts_to_json
from lock import hold
from manifest import (
    VERSION,
    Manifest,
    Project,
    base_python,
    find_faults,
    read_manifest,
    read_project,
    remove_manifest,
    write_manifest,
)
from matrix import Matrix, load_matrix
from plan import Plan, Refusal
from probe import probe
from verify import verify

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Request:
    """What is to be set up.

    Attributes:
        prefix: The environment's folder, absolute.
        extras: The sets of packages wanted, such as "engine".
        wanted: The build of torch the user asked for; None if none was named.
        index: A package index to take torch from in place of PyTorch's own.
        repository: Snugtune's folder.
        confirm: Asks the user a question.
    """

    prefix: Path
    extras: tuple[str, ...]
    wanted: str | None = None
    index: str | None = None
    repository: Path = REPOSITORY
    confirm: Callable[[str], bool] = lambda _: True


@dataclass(frozen=True)
class Ready:
    """An environment that is whole, and the machine it is on."""

    environment: Environment
    facts: Facts


@dataclass(frozen=True)
class _Site:
    """All that one set-up looks at, none of it changing while it works."""

    environment: Environment
    project: Project
    facts: Facts
    matrix: Matrix
    request: Request
    console: Console


@dataclass(frozen=True)
class _State:
    """What was found in the folder, and what is wanted there."""

    wanted: str
    extras: tuple[str, ...]
    faults: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command of the set-up takes."""
    known = ", ".join(tags(load_matrix()))
    parser.add_argument(
        "--prefix",
        type=Path,
        default=REPOSITORY / ".venv",
        help="folder of the private environment (default: .venv in this repository)",
    )
    parser.add_argument("--torch", help=f"build of torch: {known}", metavar="BUILD")
    parser.add_argument(
        "--yes", action="store_true", help="install system packages without asking"
    )


def request_from(arguments: argparse.Namespace, extras: tuple[str, ...]) -> Request:
    """Return the request that a command line makes."""
    prefix: Path = arguments.prefix
    return Request(
        prefix=prefix.expanduser().absolute(),
        extras=extras,
        wanted=arguments.torch,
        index=os.environ.get(INDEX_VARIABLE) or None,
        confirm=(lambda _: True) if arguments.yes else ask,
    )


def ask(question: str) -> bool:
    """Ask on the terminal; without one the answer is yes, as for a script."""
    if not sys.stdin or not sys.stdin.isatty():
        return True
    try:
        return input(f"{question} [Y/n] ").strip().lower() in {"", "y", "yes"}
    except EOFError:
        return False


def set_up(
    request: Request,
    console: Console,
    *,
    probe_machine: Callable[[Path], Facts] = probe,
    commands: Callable[[Path, tuple[int, ...]], Run] = Commands,
) -> Ready:
    """Make sure that the environment is whole.

    Args:
        request: What is wanted.
        console: Where progress is told.
        probe_machine: Looks at the machine.
        commands: Makes what runs commands, from a log file and inherited files.

    Raises:
        SetUpError: This machine can't be served as it is, or a step failed.
    """
    facts = probe_machine(request.prefix)
    site = _Site(
        environment=Environment(request.prefix),
        project=read_project(request.repository),
        facts=facts,
        matrix=load_matrix(),
        request=request,
        console=console,
    )
    if not _look(site).faults:
        return _ready(site)
    site.environment.claim()
    with hold(site.environment.lock_file, console) as descriptor:
        state = _look(site)  # a set-up that was waited for may have done it all
        if not state.faults:
            return _ready(site)
        plan = _plan(site, state)
        _tell(site, state, plan)
        keep_open = () if sys.platform == "win32" else (descriptor,)
        run = commands(site.environment.log_file, keep_open)
        return _carry_out(site, state, plan, run)


def _look(site: _Site) -> _State:
    """Find out what keeps the environment from being used as it is."""
    request = site.request
    manifest = read_manifest(site.environment)
    # A build that the user once asked for stays until another is asked for.
    asked_before = manifest.plan.tag if manifest and manifest.plan.by_user else None
    wanted = request.wanted or asked_before or AUTOMATIC
    extras = request.extras
    if wanted == "none":
        extras = tuple(extra for extra in extras if extra != ENGINE)
    facts = replace(site.facts, free_disk_bytes=None)
    chosen = choose(facts, site.matrix, wanted, request.index)
    plan = chosen if isinstance(chosen, Plan) else None
    faults = find_faults(site.environment, manifest, site.project, extras, plan)
    return _State(wanted, extras, faults)


def _plan(site: _Site, state: _State) -> Plan:
    """Choose torch for good: refuse what can't be, and a disk that is too full."""
    free = site.facts.free_disk_bytes
    if free is not None:
        # What a set-up that was cut off left here need not be paid for again.
        free += site.environment.size_bytes()
    facts = replace(site.facts, free_disk_bytes=free)
    chosen = choose(facts, site.matrix, state.wanted, site.request.index)
    if isinstance(chosen, Refusal):
        raise SetUpError(chosen.what, chosen.remedy)
    return chosen


def _ready(site: _Site) -> Ready:
    site.console.say(f"Snugtune is set up in {site.environment.prefix}.")
    return Ready(site.environment, site.facts)


def _tell(site: _Site, state: _State, plan: Plan) -> None:
    """Say what is going to be done, and why."""
    say, prefix = site.console.say, site.environment.prefix
    begun = (prefix / "pyvenv.cfg").exists()
    verb = "Repairing" if begun else "Setting up"
    say(f"{verb} Snugtune {site.project.version} in {prefix}")
    if begun:
        say(f"Because {'; '.join(state.faults)}.")
    facts = site.facts
    name = facts.distribution[0] if facts.distribution else facts.system
    say(f"Machine: {name} on {facts.machine}, Python {facts.python}.")
    say(f"torch {plan.torch}. {plan.reason}")
    for note in plan.notes:
        say(f"Note: {note}")
    say(f"Full output: {site.environment.log_file}")


def _carry_out(site: _Site, state: _State, plan: Plan, run: Run) -> Ready:
    """Do the work between the removal of the old manifest and the new one."""
    environment = site.environment
    job = Job(
        repository=site.request.repository,
        environment=environment,
        extras=state.extras,
        plan=plan,
        facts=site.facts,
        run=run,
        console=site.console,
        confirm=site.request.confirm,
    )
    remove_manifest(environment)
    facts = execute(job)
    checks = verify(job, facts)
    manifest = Manifest(
        version=VERSION,
        prefix=str(environment.prefix),
        base_python=base_python(environment),
        project=site.project,
        extras=state.extras,
        plan=plan,
        packages=environment.installed(),
        facts=facts_to_json(facts),
        checks=checks,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_manifest(environment, manifest)
    return _ready(replace(site, facts=facts))
