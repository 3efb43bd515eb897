"""Reads all runs of a project, and those that wait, beside the window."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.domain.recipe import Recipe
from studio.domain.run import RunSnapshot
from studio.domain.run_queue import QueuedRun
from studio.services.library import find_run, runs_in
from studio.services.project_store import open_project
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


class WaitingReader:
    """Reads the runs that wait, again and again, and what never changes but once."""

    def __init__(self, queue: RunQueue) -> None:
        self._queue = queue
        self._models: dict[int, str] = {}
        self._projects: dict[str, str] = {}

    def read(self) -> WaitingFacts:
        """The queue, and what its rows tell beside; called in a thread.

        Raises:
            StudioError: The queue can't be read.
        """
        runs = self._queue.read().runs
        for run in runs:
            self._learn(run)
        return WaitingFacts(
            runs=runs,
            projects=dict(self._projects),
            models=dict(self._models),
            is_driven_elsewhere=self._queue.is_driven(),
        )

    def _learn(self, run: QueuedRun) -> None:
        # What can't be read is told when the run's turn comes.
        if run.number not in self._models:
            with suppress(StudioError):
                recipe = self._queue.recipe(run.number)
                self._models[run.number] = model_words(recipe)
        if run.project not in self._projects:
            with suppress(StudioError):
                self._projects[run.project] = open_project(run.project).name


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
