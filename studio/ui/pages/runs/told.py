"""Reads all runs of a project, and those that wait, beside the window."""

from dataclasses import dataclass
from pathlib import Path

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.domain.recipe import Recipe
from studio.domain.run import RunSnapshot
from studio.services.library import find_run, runs_in
from studio.services.project_store import all_projects
from studio.services.run_files import delete_run, folder_bytes
from studio.services.run_journal import snapshot_of
from studio.services.run_queue import RunQueue
from studio.ui.pages.runs.view_model import RunFacts, model_words
from studio.ui.pages.runs.waiting_model import WaitingFacts


@dataclass(frozen=True, slots=True)
class ToldRuns:
    """The runs that could be read, newest first, and why others could not."""

    runs: tuple[RunFacts, ...]
    findings: tuple[Finding, ...]


def told_runs(project: Path | None) -> ToldRuns:
    """Read the runs of a project's folder; none without a project."""
    runs: list[RunFacts] = []
    findings: list[Finding] = []
    for directory in runs_in(project) if project is not None else ():
        try:
            snapshot = snapshot_of(directory)
        except StudioError as refused:
            findings.append(refused.finding)
            continue
        runs.append(RunFacts(snapshot=snapshot, recipe=recipe_of(snapshot)))
    runs.sort(key=lambda run: run.snapshot.started_at or 0.0, reverse=True)
    return ToldRuns(tuple(runs), tuple(findings))


def told_waiting(queue: RunQueue) -> WaitingFacts:
    """Read the runs that wait, and what their rows tell beside.

    Raises:
        StudioError: The queue can't be read.
    """
    runs = queue.read().runs
    return WaitingFacts(
        runs=runs,
        projects={project.slug: project.name for project in all_projects()},
        models={run.number: _waiting_model(queue, run.number) for run in runs},
        is_driven_elsewhere=queue.is_driven(),
    )


def _waiting_model(queue: RunQueue, number: int) -> str:
    try:
        return model_words(queue.recipe(number))
    except StudioError:
        return ""  # what is wrong with it is told when its turn comes


def recipe_of(snapshot: RunSnapshot) -> Recipe | None:
    """How a run was run; None when that can't be read any more."""
    try:
        return find_run(str(snapshot.directory)).read_recipe()
    except StudioError:
        return None


def recipe_path(directory: Path) -> Path:
    """Where a run's recipe lies.

    Raises:
        StudioError: The folder holds no run any more.
    """
    return find_run(str(directory)).recipe_path


def size_of(directory: Path) -> int:
    """What a run takes of the disk, in bytes."""
    return folder_bytes(directory)


def delete(directory: Path) -> None:
    """Delete a run.

    Raises:
        StudioError: It goes on, is gone already, or the disk refuses.
    """
    delete_run(find_run(str(directory)))
