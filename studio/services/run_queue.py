"""The queue of runs: kept in the data folder, driven by one program at a time.

Each change is applied to what lies on disk, under a lock, so that a window and a
terminal may both change it. Whoever starts the runs holds a second lock; the system
lets go of it when that program ends.

A run's directory is made first and bears the mark of its entry; then its engine is
started, and the entry goes when that one has said its first word. So a power cut at
any moment neither loses a run nor trains it twice: the directory is known again by its
mark, and a journal in it tells that it was started.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import uuid4

from studio.domain.errors import ExitCode, StudioError, refusal
from studio.domain.finding import Finding, error
from studio.domain.recipe import Recipe
from studio.domain.run_queue import Queue, QueuedRun
from studio.domain.waypoints import passing
from studio.services.library import all_runs
from studio.storage.locks import locked
from studio.storage.run_directory import RunDirectory
from studio.storage.run_lock import is_held, is_in_hand
from studio.storage.run_queue import QueueFolder
from studio.system.paths import queue_dir

_LOCK_PATIENCE_S = 5.0
# Who only asks whether the queue is driven holds its lock for a moment.
_DRIVER_PATIENCE_S = 0.5

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
        self,
        project: str,
        runs: Sequence[tuple[str, Recipe]],
        start_at: datetime | None = None,
    ) -> Sequence[QueuedRun]:
        """Add runs at the end, all or none.

        Args:
            project: The name of the project that will keep them.
            runs: A title and a recipe each.
            start_at: When they start at the earliest, with its time zone.

        Raises:
            StudioError: The disk refuses.
        """
        with self._locked():
            before = queue = self._folder.read()
            for title, recipe in runs:
                self._folder.write_recipe(queue.next_number, recipe)
                queue = queue.added(
                    project, title, start_at=start_at, token=uuid4().hex
                )
            passing("queue.recipes")
            self._folder.write(queue)
            passing("queue.added")
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
            passing("queue.written")
            # Those too whose entry went in a change that was cut off here.
            kept = {run.number for run in after.runs}
            for number in self._folder.recipes() - kept:
                self._folder.drop_recipe(number)
        return after

    def remove(self, numbers: Sequence[int]) -> Queue:
        """Let runs go; those that somebody else has removed already are no error.

        Raises:
            StudioError: The disk refuses.
        """
        return self.change(partial(_without, numbers=frozenset(numbers)))

    def obstacle(self, now: datetime) -> RunDirectory | datetime | None:
        """What keeps every run that waits from starting now.

        Args:
            now: With its time zone.

        Returns:
            A run that a process trains, or the time for which the next one waits;
            None when one may start, or none will.

        Raises:
            StudioError: The queue can't be read.
        """
        told = self.read()
        is_due, moment = told.due(now) is not None, told.next_time()
        if not is_due and moment is None:
            return None
        return run_in_progress() or (None if is_due else moment)

    def ready(
        self, now: datetime, check: Callable[[Recipe], object]
    ) -> QueuedRun | None:
        """The first run that is due and passes a check; others are marked.

        Args:
            now: With its time zone.
            check: Refuses with a `StudioError`.

        Raises:
            StudioError: The queue can't be read or written.
        """
        while (due := self.read().due(now)) is not None:
            try:
                check(self._folder.read_recipe(due.number))
            except StudioError as refused:
                self.mark(due.number, refused.finding)
            else:
                return due
        return None

    def begin(self, number: int, make: Starter) -> RunDirectory | None:
        """The directory of a run that waits; its engine is not started.

        The entry stays until `remove`, for when the engine has said its first word.

        Args:
            number: Of the run.
            make: Makes the run's directory with the entry's token as its mark, or
                refuses with a `StudioError`.

        Returns:
            Where it lies, which may be one that a start left that was cut off; None
            when it waits no more, or was started before and now leaves the queue.

        Raises:
            StudioError: `make` refuses, or the queue can't be read or written.
        """
        waiting = self.read()
        if all(run.number != number for run in waiting.runs):
            return None
        queued = waiting.run(number)
        directory = _known_again(queued)
        if directory is None:
            directory = make(queued, self._folder.read_recipe(number))
            passing("queue.made")
            return directory
        if not _was_started(directory):
            return directory
        self.remove([number])
        return None

    def take(
        self, now: datetime, make: Starter
    ) -> tuple[QueuedRun, RunDirectory] | None:
        """Begin the first run that is due; those that can't begin are marked so.

        Args:
            now: With its time zone.
            make: As `begin` wants it.

        Returns:
            It and where it lies; None when none is due.

        Raises:
            StudioError: The queue can't be read or written.
        """
        while (due := self.read().due(now)) is not None:
            try:
                directory = self.begin(due.number, make)
            except StudioError as refused:
                self.mark(due.number, refused.finding)
                continue
            if directory is not None:
                return due, directory
        return None

    def mark(self, number: int, trouble: Finding) -> None:
        """Say why a run could not be started, if it still waits.

        Raises:
            StudioError: The disk refuses.
        """

        def marked(queue: Queue) -> Queue:
            waits = any(run.number == number for run in queue.runs)
            return queue.troubled(number, trouble) if waits else queue

        self.change(marked)

    def driven(self) -> AbstractContextManager[None]:
        """Be the only program that starts the queue's runs.

        Raises:
            StudioError: Another one does, or the disk refuses.
        """
        path = self._folder.driver_lock_path
        return locked(path, _DRIVER_PATIENCE_S, _driven_elsewhere())

    def is_driven(self) -> bool:
        """Whether a program starts the queue's runs just now."""
        path = self._folder.driver_lock_path
        if not path.exists():
            return False
        try:
            with locked(path, 0.0, _driven_elsewhere()):
                return False
        except StudioError:
            return True

    def _locked(self) -> AbstractContextManager[None]:
        folder = self._folder
        return locked(folder.lock_path, _LOCK_PATIENCE_S, _busy(folder.path))


def _without(queue: Queue, numbers: frozenset[int]) -> Queue:
    kept = tuple(run for run in queue.runs if run.number not in numbers)
    return replace(queue, runs=kept)


def _known_again(queued: QueuedRun) -> RunDirectory | None:
    """The directory that was made for a run whose start was cut off."""
    if not queued.token:
        return None
    return next((run for run in all_runs() if run.mark == queued.token), None)


def _was_started(directory: RunDirectory) -> bool:
    return directory.journal_path.exists() or is_held(directory)


def run_in_progress() -> RunDirectory | None:
    """A run of any project that a process trains just now, or will at once."""
    return next(filter(is_in_hand, all_runs()), None)


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
