"""The folder of all projects: listing, opening, making, and the example."""

import json
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from studio.domain.errors import StudioError, refusal
from studio.domain.hardware import TrainingDevice
from studio.domain.recipe import Recipe
from studio.domain.recommend.formats import formats_of
from studio.services.project import Project, is_project, tidy_name, write_project
from studio.storage.disk import disk_refusal
from studio.storage.documents import write_bytes_atomically
from studio.storage.names import slug
from studio.storage.recipes import load_recipe
from studio.system.paths import projects_dir
from studio.system.resources import resource_root

EXAMPLE_NAME = "Cheesemonger"
_EXAMPLE_DATA = "cheesemonger.jsonl"
_EXAMPLE_OWN = frozenset({"train.learning_rate"})
"""What no proposal shall change of the example: a model as small as its own learns
nothing in 40 steps at the rate of a large one."""


def all_projects() -> Sequence[Project]:
    """Every project that can be opened, by name."""
    folder = projects_dir()
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    projects = [_opened(directory) for directory in found if is_project(directory)]
    named = [project for project in projects if project is not None]
    return sorted(named, key=lambda project: project.name.casefold())


def open_project(project_slug: str) -> Project:
    """Open a project by its slug.

    Raises:
        StudioError: There is none, or its documents can't be read.
    """
    directory = projects_dir() / slug(project_slug)
    if project_slug and is_project(directory):
        return Project(directory)
    raise refusal(
        "project.unknown",
        f"There is no project “{project_slug}”.",
        fix="Open another, or make it anew.",
        where=str(projects_dir()),
    )


def create_project(name: str, recipe: Recipe | None = None) -> Project:
    """Make a project.

    Args:
        name: Of any length, with any characters; the folder gets a safe name.
        recipe: What it begins with; the defaults when left out.

    Raises:
        StudioError: The name is blank, or the disk refuses; no folder is left then.
    """
    shown = tidy_name(name)
    directory = _free_folder(slug(shown))
    try:
        write_project(directory, shown, _today(), recipe or Recipe())
    except StudioError:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return Project(directory)


def open_or_create(name: str) -> Project:
    """The project of that name; made when there is none.

    Raises:
        StudioError: The name is blank, or the disk refuses.
    """
    shown = tidy_name(name)
    for project in all_projects():
        if shown in {project.name, project.slug}:
            return project
    return create_project(shown)


def ensure_example() -> Project:
    """The example project; what is missing of it is made, the rest left alone.

    Raises:
        StudioError: The disk refuses.
    """
    directory = projects_dir() / slug(EXAMPLE_NAME)
    data = directory / "data" / _EXAMPLE_DATA
    if not data.is_file():
        source = resource_root() / "examples" / _EXAMPLE_DATA
        write_bytes_atomically(data, source.read_bytes())
    if not is_project(directory):
        recipe = _example_recipe(data)
        write_project(directory, EXAMPLE_NAME, _today(), recipe, _EXAMPLE_OWN)
    return Project(directory)


def suit_example(example: Project, device: TrainingDevice) -> None:
    """Choose the example's number formats for a device, unless the user changed it.

    Raises:
        StudioError: The disk refuses.
    """
    shipped = _example_recipe(example.directory / "data" / _EXAMPLE_DATA)
    if example.recipe == shipped:
        example.set_recipe(suited(shipped, device))


def suited(recipe: Recipe, device: TrainingDevice) -> Recipe:
    """The recipe with number formats that the device computes in at full speed."""
    if device.has_bf16:
        return recipe
    compute, adapter = formats_of(device)
    return recipe.with_value("model.compute_dtype", compute).with_value(
        "lora.adapter_dtype", adapter
    )


def _example_recipe(data: Path) -> Recipe:
    examples = resource_root() / "examples"
    prompts = (examples / "cheesemonger_prompts.json").read_text(encoding="utf-8")
    return (
        load_recipe(examples / "cheesemonger.toml")
        .with_value("data.path", str(data))
        .with_value("data.prompts", json.loads(prompts)["prompts"])
    )


def _opened(directory: Path) -> Project | None:
    try:
        return Project(directory)
    except StudioError:
        return None  # opening it by name says what is wrong


def _free_folder(base: str) -> Path:
    directory, number = projects_dir() / base, 1
    try:
        projects_dir().mkdir(parents=True, exist_ok=True)
        while True:
            try:
                directory.mkdir()
            except FileExistsError:
                number += 1
                directory = projects_dir() / f"{base}-{number}"
            else:
                return directory
    except OSError as fault:
        raise disk_refusal(fault, directory) from fault


def _today() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
