"""Starts the queue's runs in the window, one after the other, when the user said so.

It holds the queue's second lock while it does, so a terminal's `snugtune queue run` and
it never start runs at the same time. What takes long, such as reading a data file to
its end, is done in a thread; a run is begun in the window's own.
"""

from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio.domain.errors import StudioError
from studio.domain.finding import Finding, warning
from studio.domain.recipe import Recipe
from studio.domain.run import RunSnapshot, RunState
from studio.domain.run_queue import Queue, QueuedRun
from studio.services.background import BackgroundCall
from studio.services.preflight import refuse_errors
from studio.services.process_outcome import Ordered
from studio.services.projects import Projects
from studio.services.run_controller import RunController
from studio.services.run_queue import RunQueue
from studio.storage.run_directory import RunDirectory

LOOK_EVERY_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class _Found:
    """What a look at the queue came to.

    Attributes:
        ready: The run to begin; None without one.
        obstacle: What all of them wait for.
        refused: Those that were found not to be able to start.
    """

    ready: QueuedRun | None = None
    obstacle: RunDirectory | datetime | None = None
    refused: tuple[QueuedRun, ...] = ()


class QueueDriver(QObject):
    """Drives the queue from `drive` on, until it is empty or told to hold.

    Attributes:
        queue: The runs that wait.

    Signals:
        course_changed: Whether it drives, what it waits for, or the queue has changed.
        refused(object): A `Finding`: why a run wasn't started, or the queue stopped.
    """

    course_changed = Signal()
    refused = Signal(object)

    def __init__(
        self,
        controller: RunController,
        projects: Projects,
        *,
        check: Callable[[Recipe], object] = refuse_errors,
        look_every_ms: int = LOOK_EVERY_MS,
        parent: QObject | None = None,
    ) -> None:
        """Make a driver that does nothing yet.

        Args:
            controller: Trains the runs.
            projects: Keep them.
            check: Refuses a recipe with a `StudioError`; called in a thread.
            look_every_ms: How often the queue is looked at while it waits.
            parent: Qt's owner.
        """
        super().__init__(parent)
        self.queue = RunQueue()
        self._controller = controller
        self._projects = projects
        self._check = check
        self._look_every_ms = look_every_ms
        self._lock: ExitStack | None = None
        self._call: BackgroundCall | None = None
        self._obstacle: RunDirectory | datetime | None = None
        self._own: QueuedRun | None = None
        self._is_listed = False
        self._is_outdated = False
        self._clock = QTimer(self)
        self._clock.setSingleShot(True)
        self._clock.timeout.connect(self._look)
        controller.run_ended.connect(self._on_run_ended)
        controller.snapshot_changed.connect(self._on_snapshot_changed)

    @property
    def is_driving(self) -> bool:
        """Whether it starts the runs when their turn comes."""
        return self._lock is not None

    @property
    def waits_for(self) -> RunDirectory | datetime | None:
        """A run of anybody's, or the time for which the next run waits."""
        if not self.is_driving:
            return None
        return self._controller.directory if self._is_busy() else self._obstacle

    @property
    def begun(self) -> QueuedRun | None:
        """The run whose engine has not spoken yet, and which is still in the queue."""
        return self._own if self._is_listed else None

    def would_start_more(self) -> bool:
        """Whether runs wait that it would start if it went on."""
        if not self.is_driving:
            return False
        try:
            waiting = self.queue.read().runs
        except StudioError:
            return True
        return any(run != self.begun for run in waiting)

    def drive(self) -> None:
        """Start the runs from now on; the first as soon as it can.

        Raises:
            StudioError: Another program does so already, or the disk refuses.
        """
        if self._lock is not None:
            return
        with ExitStack() as lock:
            lock.enter_context(self.queue.driven())
            self._lock = lock.pop_all()
        self._clock.start(0)
        self.course_changed.emit()

    @Slot()
    def hold(self) -> None:
        """Start no more runs; the one under way goes on, the others keep waiting."""
        if self._lock is None:
            return
        self._clock.stop()
        self._lock.close()
        self._lock = self._obstacle = None
        self.course_changed.emit()

    def change(self, change: Callable[[Queue], Queue]) -> Queue:
        """Change the queue, and tell those who show it.

        Returns:
            The queue afterwards.

        Raises:
            StudioError: The change refuses, or the disk does.
        """
        told = self.queue.change(change)
        self.tell_changed()
        return told

    def tell_changed(self) -> None:
        """Say that the queue was changed, and look at it again at once."""
        self.course_changed.emit()
        self._is_outdated = self._call is not None
        if self.is_driving:
            self._clock.start(0)

    def close(self) -> None:
        """Hold, and wait for the look that is under way."""
        self.hold()
        if self._call is not None:
            self._call.wait()
            self._call = None

    def _is_busy(self) -> bool:
        return self._controller.is_running

    @Slot()
    def _look(self) -> None:
        if not self.is_driving or self._is_busy() or self._call is not None:
            return  # the end of the run, or of the call, looks again
        self._call = BackgroundCall(self._find)
        self._call.call_done.connect(self._on_found)
        self._call.call_failed.connect(self._on_failed)
        self._call.start()

    def _find(self) -> _Found:
        """Look for the next run; called in a thread."""
        now = datetime.now().astimezone()
        obstacle = self.queue.obstacle(now)
        if obstacle is not None:
            return _Found(obstacle=obstacle)
        before = {run.number for run in self.queue.read().runs if run.trouble}
        ready = self.queue.ready(now, self._check)
        after = self.queue.read()
        refused = (run for run in after.runs if run.trouble)
        return _Found(
            ready,
            None if ready else after.next_time(),
            tuple(run for run in refused if run.number not in before),
        )

    @Slot(object)
    def _on_found(self, found: _Found) -> None:
        self._let_call_go()
        for run in found.refused:
            assert run.trouble is not None  # so it was found
            self.refused.emit(_not_started(run.title, run.trouble))
        if not self.is_driving:
            return
        if self._is_outdated:
            self._is_outdated = False
            self._clock.start(0)
        elif found.ready is not None:
            self._begin(found.ready)
        elif found.obstacle is None:
            self.hold()  # nothing is left that could start
        else:
            self._wait_for(found.obstacle)

    @Slot(object)
    def _on_failed(self, finding: Finding) -> None:
        self._let_call_go()
        self._give_up(finding)

    def _let_call_go(self) -> None:
        if self._call is not None:
            self._call.wait()
            self._call = None

    def _wait_for(self, obstacle: RunDirectory | datetime) -> None:
        has_changed, self._obstacle = obstacle != self._obstacle, obstacle
        self._clock.start(self._look_every_ms)
        if has_changed:
            self.course_changed.emit()

    def _begin(self, queued: QueuedRun) -> None:
        if self._is_busy():
            return  # the user was quicker; its end looks again
        try:
            directory = self._directory_for(queued)
            if directory is not None:
                self._own, self._is_listed = queued, True
                self._controller.train(directory)
            else:
                self._clock.start(0)
        except StudioError as refused:
            self._give_up(refused.finding)
        self._obstacle = None
        self.course_changed.emit()

    def _directory_for(self, queued: QueuedRun) -> RunDirectory | None:
        """Where a run trains; None when it can't, or needn't any more.

        Raises:
            StudioError: The queue can't be read or written.
        """
        try:
            return self.queue.begin(queued.number, self._make)
        except StudioError as refused:
            self.queue.mark(queued.number, refused.finding)
            self.refused.emit(_not_started(queued.title, refused.finding))
            return None

    def _make(self, queued: QueuedRun, recipe: Recipe) -> RunDirectory:
        return self._projects.keeper(queued.project).new_run(recipe, queued.token)

    def _give_up(self, finding: Finding) -> None:
        self.refused.emit(finding)
        self.hold()

    @Slot(object)
    def _on_snapshot_changed(self, snapshot: RunSnapshot) -> None:
        if self._own is not None and snapshot.engine is not None:
            self._unlist()

    def _unlist(self) -> None:
        """Take the run that was begun off the queue."""
        if self._own is not None and self._is_listed:
            self._is_listed = False
            # Left there, it is known again by its mark and not started twice.
            with suppress(StudioError):
                self.queue.remove([self._own.number])
            self.course_changed.emit()

    @Slot()
    def _on_run_ended(self) -> None:
        was_own = self._own is not None
        self._unlist()
        self._own = None
        if was_own and self._was_ended_by_hand():
            self.hold()
        elif self.is_driving:
            self._clock.start(self._look_every_ms)

    def _was_ended_by_hand(self) -> bool:
        told = self._controller.snapshot
        is_stopped = told is not None and told.state is RunState.STOPPED
        return is_stopped or self._controller.ordered is not Ordered.NOTHING


def _not_started(title: str, trouble: Finding) -> Finding:
    stays = "It stays in the queue; move it there to have it tried again."
    return warning(
        "queue.not-started",
        f"{title} was not started.",
        why=replace(trouble, how_to_fix="").sentence(),
        fix=f"{trouble.how_to_fix} {stays}".strip(),
    )
