"""The manifest: written last, and the only proof that a set-up was finished."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tomllib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from console import SetUpError
from json_reader import Reader
from plan import Plan, plan_from_json, still_suits

if TYPE_CHECKING:
    from pathlib import Path

    from environment import Environment

VERSION = 1
_NAME = "install-manifest.json"


@dataclass(frozen=True)
class Project:
    """What of the repository an environment was made for.

    Attributes:
        folder: The repository; the environment refers to its code in place.
        version: Snugtune's version.
        requirements: Hash of the packages and programs pyproject.toml names.
    """

    folder: str
    version: str
    requirements: str


@dataclass(frozen=True)
class Manifest:
    """What a finished set-up left.

    Attributes:
        version: Version of this document's form.
        prefix: The environment's folder; one that was moved is not whole.
        base_python: The Python that the environment stands on.
        project: The repository it serves.
        extras: The sets of packages installed, such as "engine".
        plan: Which torch, and why.
        packages: Version of each package at the end of the set-up.
        facts: The machine at that time.
        checks: What was verified, in words.
        finished: When, in UTC.
    """

    version: int
    prefix: str
    base_python: str
    project: Project
    extras: tuple[str, ...]
    plan: Plan
    packages: dict[str, str]
    facts: dict[str, object]
    checks: dict[str, str]
    finished: str


def read_project(repository: Path) -> Project:
    """Return what an environment for this repository depends on."""
    path = repository / "pyproject.toml"
    project = Reader(tomllib.loads(path.read_text("utf-8"))["project"], "[project]")
    relevant = {
        name: project.value(name)
        for name in ("name", "dependencies", "optional-dependencies", "scripts")
    }
    text = json.dumps(relevant, sort_keys=True)
    return Project(
        folder=str(repository),
        version=project.text("version"),
        requirements=hashlib.sha256(text.encode()).hexdigest(),
    )


def manifest_file(environment: Environment) -> Path:
    """Return where the manifest of an environment lies."""
    return environment.prefix / _NAME


def remove_manifest(environment: Environment) -> None:
    """Remove the proof before anything is changed."""
    manifest_file(environment).unlink(missing_ok=True)
    _sync_folder(environment.prefix)


def write_manifest(environment: Environment, manifest: Manifest) -> None:
    """Write the manifest so that it is there as a whole or not at all."""
    path = manifest_file(environment)
    draft = path.with_suffix(".new")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(manifest), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync_folder(environment.prefix)


def _sync_folder(folder: Path) -> None:
    """Make a rename or removal in a folder last; Windows has no such call."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_manifest(environment: Environment) -> Manifest | None:
    """Return the manifest, or None when there is none that can be understood."""
    try:
        text = manifest_file(environment).read_text(encoding="utf-8")
        return _manifest_from_json(json.loads(text))
    except (OSError, ValueError, SetUpError):
        return None


def _manifest_from_json(document: object) -> Manifest:
    reader = Reader(document, "the manifest")
    reader.only_fields_of(Manifest)
    if reader.whole("version") != VERSION:
        raise reader.wrong("version", str(VERSION))
    project = Reader(reader.value("project"), "project")
    facts = Reader(reader.value("facts"), "facts")
    packages = Reader(reader.value("packages"), "packages")
    checks = Reader(reader.value("checks"), "checks")
    return Manifest(
        version=VERSION,
        prefix=reader.text("prefix"),
        base_python=reader.text("base_python"),
        project=Project(
            folder=project.text("folder"),
            version=project.text("version"),
            requirements=project.text("requirements"),
        ),
        extras=reader.texts("extras"),
        plan=plan_from_json(reader.value("plan")),
        packages={name: packages.text(name) for name in packages.names()},
        facts={name: facts.value(name) for name in facts.names()},
        checks={name: checks.text(name) for name in checks.names()},
        finished=reader.text("finished"),
    )


def base_python(environment: Environment) -> str:
    """Return the Python that an environment's own leads to, or "" without one."""
    python = environment.python
    return os.path.realpath(python) if python.exists() else ""


def find_faults(
    environment: Environment,
    manifest: Manifest | None,
    project: Project,
    extras: tuple[str, ...],
    plan: Plan | None,
) -> list[str]:
    """Return what keeps an environment from being used as it is, in words.

    Args:
        environment: The environment.
        manifest: Its manifest, if it has one.
        project: The repository as it is now.
        extras: The sets of packages that are needed.
        plan: The torch that this machine wants now; None if that is unknown.
    """
    if manifest is None:
        return ["no finished set-up is recorded"]
    faults: list[str] = []
    if manifest.prefix != str(environment.prefix):
        faults.append(f"the environment was moved from {manifest.prefix}")
    if not base_python(environment) or manifest.base_python != base_python(environment):
        faults.append("the Python it stands on has changed")
    if manifest.project.folder != project.folder:
        faults.append(f"it was made for {manifest.project.folder}")
    elif manifest.project != project:
        faults.append("the project's packages have changed since")
    missing = [extra for extra in extras if extra not in manifest.extras]
    if missing:
        faults.append(f"it lacks the packages for {', '.join(missing)}")
    if plan and not still_suits(manifest.plan, plan):
        faults.append(f"this machine now takes another torch: {plan.reason}")
    return faults + _changed_packages(environment, manifest)


def _changed_packages(environment: Environment, manifest: Manifest) -> list[str]:
    installed = environment.installed()
    changed = [
        name
        for name, version in manifest.packages.items()
        if installed.get(name) != version
    ]
    if not changed:
        return []
    return [f"packages are missing or were changed: {', '.join(sorted(changed)[:5])}"]
