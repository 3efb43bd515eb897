"""The queue of runs: kept in the data folder, driven by one program at a time.

Each change is applied to what lies on disk, under a lock, so that a window and a
terminal may both change it. Whoever starts the runs holds a second lock; the system
lets go of it when that program ends.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from studio.domain.errors import ExitCode, StudioError, refusal
from studio.domain.finding import error
from studio.domain.recipe import Recipe
from studio.domain.run_queue import Queue, QueuedRun
from studio.services.library import all_runs
from studio.storage.locks import locked
from studio.storage.run_directory import RunDirectory
from studio.storage.run_lock import is_held
from studio.storage.run_queue import QueueFolder
from studio.system.paths import queue_dir

_LOCK_PATIENCE_S = 5.0

Starter = Callable[[QueuedRun, Recipe], RunDirectory]


class RunQueue:
    """The queue of this user."""

    def __init__(self, folder: Path | None = None) -> None:
        """Take the queue of a folder; that of the data folder when left out."""
        self._folder = QueueFolder(folder or queue_dir())

    def read(self) -> Queue:
        """The queue as it is now.

        Raises:
            StudioError: It can't be read.
        """
        return self._folder.read()

    def recipe(self, number: int) -> Recipe:
        """The recipe of a run that waits.

        Raises:
            StudioError: None waits by this number, or its recipe can't be read.
        """
        self.read().run(number)
        return self._folder.read_recipe(number)

    def add(
        self, project: str, runs: Sequence[tuple[str, Recipe]]
    ) -> Sequence[QueuedRun]:
        """Add runs at the end, all or none.

        Args:
            project: The name of the project that will keep them.
            runs: A title and a recipe each.

        Raises:
            StudioError: The disk refuses.
        """
        with self._locked():
            before = queue = self._folder.read()
            for title, recipe in runs:
                self._folder.write_recipe(queue.next_number, recipe)
                queue = queue.added(project, title)
            self._folder.write(queue)
        return queue.runs[len(before.runs) :]

    def change(self, change: Callable[[Queue], Queue]) -> Queue:
        """Apply a change to the queue as it is now, and keep it.

        Returns:
            The queue afterwards.

        Raises:
            StudioError: The change refuses, or the disk does.
        """
        with self._locked():
            before = self._folder.read()
            after = change(before)
            self._folder.write(after)
            kept = {run.number for run in after.runs}
            for run in before.runs:
                if run.number not in kept:
                    self._folder.drop_recipe(run.number)
        return after

    def take(self, now: datetime, start: Starter) -> RunDirectory | None:
        """Start the first run that is due; those that can't start are marked so.

        Args:
            now: With its time zone.
            start: Makes the run's directory, or refuses with a `StudioError`.

        Returns:
            Where it lies; None when none is due.

        Raises:
            StudioError: The queue can't be read or written.
        """
        while (due := self.read().due(now)) is not None:
            number = due.number
            try:
                directory = start(due, self._folder.read_recipe(number))
            except StudioError as refused:
                self._mark(number, refused.finding.sentence())
                continue
            # Only now: a run is rather started twice than lost by a power cut.
            self.change(partial(_without, number=number))
            return directory
        return None

    def driven(self) -> AbstractContextManager[None]:
        """Be the only program that starts the queue's runs.

        Raises:
            StudioError: Another one does, or the disk refuses.
        """
        return locked(self._folder.driver_lock_path, 0.0, _driven_elsewhere())

    def _mark(self, number: int, trouble: str) -> None:
        def mark(queue: Queue) -> Queue:
            waits = any(run.number == number for run in queue.runs)
            return queue.troubled(number, trouble) if waits else queue

        self.change(mark)

    def _locked(self) -> AbstractContextManager[None]:
        folder = self._folder
        return locked(folder.lock_path, _LOCK_PATIENCE_S, _busy(folder.path))


def _without(queue: Queue, number: int) -> Queue:
    """Without a run, which somebody may have removed meanwhile."""
    return replace(queue, runs=tuple(run for run in queue.runs if run.number != number))


def run_in_progress() -> RunDirectory | None:
    """A run of any project that a process trains just now."""
    return next(filter(is_held, all_runs()), None)


def _busy(folder: Path) -> StudioError:
    finding = error(
        "queue.busy",
        "Another program is changing the queue.",
        why="The change was not made.",
        fix="Try again.",
        where=str(folder),
    )
    return StudioError(finding, ExitCode.DISK)


def _driven_elsewhere() -> StudioError:
    return refusal(
        "queue.driven",
        "Another window or terminal starts the queue’s runs already.",
        fix="Leave it to that one, or end it there first.",
        where="snugtune queue run",
    )
