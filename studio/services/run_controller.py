"""The one training run of the window: started or joined, followed, stopped, ended."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QCoreApplication, QObject, Signal, Slot

from studio.domain.errors import refusal
from studio.domain.recipe import Recipe
from studio.domain.run import EngineIdentity, RunSnapshot
from studio.protocol.commands import (
    EngineCommand,
    Pause,
    SampleNow,
    SaveNow,
    Stop,
)
from studio.protocol.events import EngineEvent
from studio.services.background import WorkerThread
from studio.services.cancelled import mark_cancelled
from studio.services.engine_process import EngineProcess
from studio.services.hardware_monitor import HardwareMonitor
from studio.services.journal_tail import JournalTail
from studio.services.launch import engine_command
from studio.services.lead import Lead
from studio.services.leading import (
    again,
    goes_on_by_itself,
    options_to_lead_on,
    resume_arguments,
)
from studio.services.machine_record import with_machine
from studio.services.preferences import KeepRunning, Preferences
from studio.services.preflight import model_of, preflight, raise_first_error
from studio.services.process_outcome import Ordered, ProcessOutcome
from studio.services.project import Project
from studio.services.resuming import refuse_resuming
from studio.services.run_endings import ending_of, told_at_end
from studio.services.run_journal import (
    begun_again,
    empty_snapshot,
    fold_all,
    snapshot_of,
)
from studio.services.trainer_process import GRACE_S, TrainingWorker
from studio.storage.run_directory import RunDirectory
from studio.system.machine import disk_free
from studio.system.processes import kill_group, terminate_group

CommandFor = Callable[[RunDirectory], Sequence[str]]

_CLOSING_GRACE_S = 10.0


class RunController(QObject):
    """Starts a run or joins one that lives, and tells how it goes.

    Signals:
        snapshot_changed(object): A new `RunSnapshot`, at most ten times a second.
        run_ended(str): How the run ended, one or two sentences; `snapshot` says more.
    """

    snapshot_changed = Signal(object)
    run_ended = Signal(str)

    def __init__(
        self,
        preferences: Preferences,
        hardware: HardwareMonitor,
        *,
        command_for: CommandFor | None = None,
        grace_s: float = GRACE_S,
        parent: QObject | None = None,
    ) -> None:
        """Make a controller without a run.

        Args:
            preferences: Whether runs outlive the window.
            hardware: What a start is checked against.
            command_for: The engine's command line, for tests.
            grace_s: Seconds of silence after a stop before the engine is ended.
            parent: Qt's owner.
        """
        super().__init__(parent)
        self._preferences = preferences
        self._hardware = hardware
        self._command_for = command_for or _train_command
        self._grace_s = grace_s
        self._directory: RunDirectory | None = None
        self._snapshot: RunSnapshot | None = None
        self._worker: TrainingWorker | None = None
        self._thread: WorkerThread | None = None
        self._tail: JournalTail | None = None
        self._lead: Lead | None = None
        self._ordered = Ordered.NOTHING
        self._options: Sequence[str] = ()  # of the engine that runs, or ran last
        self._is_joined = False

    @property
    def snapshot(self) -> RunSnapshot | None:
        """The run as far as it is told; None before the first."""
        return self._snapshot

    @property
    def directory(self) -> RunDirectory | None:
        """Where the run lies; None before the first."""
        return self._directory

    @property
    def is_running(self) -> bool:
        """Whether a run is started or joined and its end has not been told."""
        return self._worker is not None or self._tail is not None

    @property
    def ordered(self) -> Ordered:
        """The highest rung of the ladder that the user went up for this run."""
        return self._ordered

    def start(self, project: Project, recipe: Recipe) -> RunSnapshot:
        """Check the recipe, make the run's directory, and start the engine.

        Returns:
            The snapshot of a run that has said nothing yet.

        Raises:
            StudioError: A run is under way, an error speaks against the start (then
                nothing is made), or the disk refuses.
        """
        self._require_idle()
        reading = self._hardware.latest
        found = preflight(
            recipe,
            model_of(recipe),
            reading.device() if reading else None,
            disk_free(project.directory),
        )
        raise_first_error(found)
        return self.train(project.new_run(recipe))

    def train(self, directory: RunDirectory) -> RunSnapshot:
        """Start the engine of a run whose directory was just made.

        Raises:
            StudioError: A run is under way, or somebody else starts this one.
        """
        self._require_idle()
        self._begin(directory, empty_snapshot(directory))
        self._run_engine(directory)
        return self._told()

    def attach(self, directory: RunDirectory) -> RunSnapshot:
        """Follow a run by its journal; one that is over is only shown.

        Where nobody else leads it, it goes on by itself as an own one does when its
        memory runs out, and outlives this window as before.

        Raises:
            StudioError: A run is under way, or the journal can't be read.
        """
        self._require_idle()
        lead = self._begin(directory, snapshot_of(directory), is_joined=True)
        if not self._told().state.is_over:
            self._tail = JournalTail(directory, lead, self)
            self._tail.snapshot_changed.connect(self._on_tail_changed)
            self._tail.tail_ended.connect(self._on_tail_ended)
            self._tail.start()
        return self._told()

    def resume(
        self,
        directory: RunDirectory,
        *,
        accept_changes: bool = False,
        save_memory: bool = False,
    ) -> RunSnapshot:
        """Go on with a run that is over, behind its newest whole checkpoint.

        Args:
            directory: Of the run.
            accept_changes: Also where something that it depends on has changed.
            save_memory: In less memory than before, though it told of no want of it.

        Returns:
            Its whole history, up to now.

        Raises:
            StudioError: A run is under way, or this one has nothing to go on from.
        """
        self._require_idle()
        told = snapshot_of(directory)
        refuse_resuming(told)
        self._begin(directory, begun_again(told))
        options = resume_arguments(
            told, accepts_changes=accept_changes, saves_memory=save_memory
        )
        self._run_engine(directory, options)
        return self._told()

    def pause(self) -> None:
        """Have the run save and end after the step; it can be gone on with."""
        self._order(Ordered.PAUSE, Pause(), TrainingWorker.pause)

    def stop(self, *, save: bool = True) -> None:
        """End the run after the step under way.

        Args:
            save: Write the adapter first.
        """
        self._order(
            Ordered.STOP, Stop(save=save), lambda worker: worker.stop(save=save)
        )

    def _order(
        self,
        rung: Ordered,
        command: EngineCommand,
        tell: Callable[[TrainingWorker], None],
    ) -> None:
        """Give an order to the own worker, or leave it in a joined run's post box."""
        if self._worker is not None:
            self._ordered = rung
            tell(self._worker)
        elif self._tail is not None and self._directory is not None:
            self._directory.post_box.post(command)
            self._ordered = rung

    def terminate(self) -> None:
        """End the run without finishing the step under way."""
        self._end(Ordered.TERMINATE, TrainingWorker.terminate, terminate_group)

    def kill(self) -> None:
        """End the run at once; what was saved before stays."""
        self._end(Ordered.KILL, TrainingWorker.kill, kill_group)

    def _end(
        self,
        rung: Ordered,
        tell: Callable[[TrainingWorker], None],
        end_group: Callable[[EngineIdentity], object],
    ) -> None:
        """End the own worker's engine, or that of a joined run, and write that down."""
        self._ordered = rung
        if self._directory is None or not self.is_running:
            return
        engine = (self._tail.snapshot if self._tail else self._told()).engine
        mark_cancelled(self._directory, engine)
        if self._worker is not None:
            tell(self._worker)
        elif engine is not None:
            end_group(engine)

    def save_now(self) -> None:
        """Order a checkpoint after the step under way."""
        self._order(self._ordered, SaveNow(), TrainingWorker.save_now)

    def sample_now(self) -> None:
        """Order answers to the sample prompts."""
        self._order(self._ordered, SampleNow(), TrainingWorker.sample_now)

    def refresh(self) -> None:
        """Read the run from disk again, such as after it was merged.

        Raises:
            StudioError: The journal can't be read.
        """
        if self._directory is not None and not self.is_running:
            self._tell(snapshot_of(self._directory))

    def close(self, *, keep_running: bool) -> None:
        """Let the run go on by itself or end it, and wait until that is so.

        A window that wants to show the run's end calls `stop` and waits for
        `run_ended` before; this is for the last moment, and takes less than a
        minute.

        Args:
            keep_running: The user chose to let it run on.
        """
        if self._worker is not None and self._thread is not None:
            if keep_running:
                self._worker.let_go()
            else:
                self._worker.stop_within(_CLOSING_GRACE_S)
            self._ordered = Ordered.LET_GO if keep_running else Ordered.STOP
            self._thread.join()
            # The worker's last words lie in this thread's queue.
            QCoreApplication.sendPostedEvents(self)
        elif self._tail is not None:
            if not keep_running:
                self.terminate()
            self._drop_tail()
            self._drop_lead()

    def _require_idle(self) -> None:
        if self.is_running:
            raise refusal(
                "run.busy",
                f"{self._told().name} is still running.",
                fix="Wait for its end, or stop it first.",
            )

    def _begin(
        self, directory: RunDirectory, snapshot: RunSnapshot, *, is_joined: bool = False
    ) -> Lead:
        lead = Lead(directory)
        if not is_joined:
            lead.take()
        self._directory, self._lead, self._is_joined = directory, lead, is_joined
        self._ordered = Ordered.NOTHING
        self._tell(snapshot)
        return lead

    def _run_engine(self, directory: RunDirectory, more: Sequence[str] = ()) -> None:
        self._options = tuple(more)
        keeps = self._preferences.keep_running is KeepRunning.YES
        engine = EngineProcess(
            (*self._command_for(directory), *more),
            log_path=directory.log_path,
            keep_running=keeps or self._is_joined,
        )
        self._worker = TrainingWorker(engine, grace_s=self._grace_s)
        self._worker.events_arrived.connect(self._on_events_arrived)
        self._worker.run_ended.connect(self._on_run_ended)
        self._thread = WorkerThread(self._worker, self._worker.run)
        self._thread.start()

    @Slot(list)
    def _on_events_arrived(self, events: list[EngineEvent]) -> None:
        self._tell(fold_all(self._told(), events))

    @Slot(object)
    def _on_run_ended(self, outcome: ProcessOutcome) -> None:
        assert self._thread is not None
        self._thread.join()
        self._worker = self._thread = None
        if self._goes_on(outcome):
            return
        self._drop_lead()
        assert self._directory is not None
        self._tell(told_at_end(self._told(), self._directory, outcome))
        self.run_ended.emit(outcome.sentence())

    def _goes_on(self, outcome: ProcessOutcome) -> bool:
        """Start another engine if memory ran out and the run can do with less."""
        directory = self._directory
        wished = (self._ordered, outcome.ordered) != (Ordered.NOTHING, Ordered.NOTHING)
        if directory is None or wished:
            return False
        helped = len(self._told().adaptations)
        if not goes_on_by_itself(directory, outcome.last_word, helped):
            return False
        self._run_engine(directory, again(self._options))
        return True

    @Slot(object)
    def _on_tail_changed(self, snapshot: RunSnapshot) -> None:
        self._tell(snapshot)

    @Slot(object)
    def _on_tail_ended(self, snapshot: RunSnapshot) -> None:
        self._drop_tail()
        if self._leads_on(snapshot):
            return
        self._drop_lead()
        if self._directory is not None:
            snapshot = with_machine(snapshot, self._directory)
        self._tell(snapshot)
        self.run_ended.emit(ending_of(snapshot))

    def _leads_on(self, ended: RunSnapshot) -> bool:
        """Start an engine of a joined run, as `_goes_on` does of an own one."""
        if self._directory is None or self._lead is None or not self._lead.is_held:
            return False
        options = options_to_lead_on(ended)
        if options is None or self._ordered is not Ordered.NOTHING:
            return False
        self._run_engine(self._directory, options)
        return True

    def _drop_lead(self) -> None:
        if self._lead is not None:
            self._lead.let_go()

    def _drop_tail(self) -> None:
        if self._tail is not None:
            self._tail.stop()
            self._tail.deleteLater()
            self._tail = None

    def _told(self) -> RunSnapshot:
        assert self._snapshot is not None
        return self._snapshot

    def _tell(self, snapshot: RunSnapshot) -> None:
        self._snapshot = snapshot
        self.snapshot_changed.emit(snapshot)


def _train_command(directory: RunDirectory) -> Sequence[str]:
    return engine_command("train", str(directory.path))
