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
class _State:
    """What was found in the folder."""

    manifest: Manifest | None
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
    return input(f"{question} [Y/n] ").strip().lower() in {"", "y", "yes"}


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
    environment = Environment(request.prefix)
    facts = probe_machine(request.prefix)
    matrix = load_matrix()
    project = read_project(request.repository)
    state = _look(environment, request, project, facts, matrix)
    if not state.faults:
        return _ready(environment, facts, state, console)
    environment.claim()
    with hold(environment.lock_file, console) as descriptor:
        state = _look(environment, request, project, facts, matrix)
        if not state.faults:
            return _ready(environment, facts, state, console)
        plan = _plan(environment, request, state, facts, matrix)
        _tell(console, environment, project, state, plan, facts)
        keep_open = () if sys.platform == "win32" else (descriptor,)
        run = commands(environment.log_file, keep_open)
        job = Job(
            repository=request.repository,
            environment=environment,
            extras=state.extras,
            plan=plan,
            facts=facts,
            run=run,
            console=console,
            confirm=request.confirm,
        )
        return _carry_out(job, project)


def _look(
    environment: Environment,
    request: Request,
    project: Project,
    facts: Facts,
    matrix: Matrix,
) -> _State:
    """Find out what keeps the environment from being used as it is."""
    manifest = read_manifest(environment)
    # A build that the user once asked for stays until another is asked for.
    asked_before = manifest.plan.tag if manifest and manifest.plan.by_user else None
    wanted = request.wanted or asked_before or AUTOMATIC
    extras = request.extras
    if wanted == "none":
        extras = tuple(extra for extra in extras if extra != ENGINE)
    chosen = choose(replace(facts, free_disk_bytes=None), matrix, wanted, request.index)
    plan = chosen if isinstance(chosen, Plan) else None
    faults = find_faults(environment, manifest, project, extras, plan)
    return _State(manifest, wanted, extras, faults)


def _plan(
    environment: Environment,
    request: Request,
    state: _State,
    facts: Facts,
    matrix: Matrix,
) -> Plan:
    """Choose torch for good: refuse what can't be, and a disk that is too full."""
    free = facts.free_disk_bytes
    if free is not None:
        # What a set-up that was cut off left here need not be paid for again.
        free += environment.size_bytes()
    measured = replace(facts, free_disk_bytes=free)
    chosen = choose(measured, matrix, state.wanted, request.index)
    if isinstance(chosen, Refusal):
        raise SetUpError(chosen.what, chosen.remedy)
    return chosen


def _ready(
    environment: Environment, facts: Facts, state: _State, console: Console
) -> Ready:
    torch = state.manifest.plan.torch if state.manifest else None
    console.say(f"Snugtune is set up in {environment.prefix} (torch {torch}).")
    return Ready(environment, facts)


def _tell(
    console: Console,
    environment: Environment,
    project: Project,
    state: _State,
    plan: Plan,
    facts: Facts,
) -> None:
    """Say what is going to be done, and why."""
    begun = (environment.prefix / "pyvenv.cfg").exists()
    verb = "Repairing" if begun else "Setting up"
    console.say(f"{verb} Snugtune {project.version} in {environment.prefix}")
    if begun:
        console.say(f"Because {'; '.join(state.faults)}.")
    name = facts.distribution[0] if facts.distribution else facts.system
    console.say(f"Machine: {name} on {facts.machine}, Python {facts.python}.")
    console.say(f"torch {plan.torch}. {plan.reason}")
    for note in plan.notes:
        console.say(f"Note: {note}")
    console.say(f"Full output: {environment.log_file}")


def _carry_out(job: Job, project: Project) -> Ready:
    """Do the work between the removal of the old manifest and the new one."""
    environment = job.environment
    remove_manifest(environment)
    facts = execute(job)
    checks = verify(job, facts)
    manifest = Manifest(
        version=VERSION,
        prefix=str(environment.prefix),
        base_python=base_python(environment),
        project=project,
        extras=job.extras,
        plan=job.plan,
        packages=environment.installed(),
        facts=facts_to_json(facts),
        checks=checks,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_manifest(environment, manifest)
    job.console.say(f"Snugtune is set up in {environment.prefix}.")
    return Ready(environment, facts)
