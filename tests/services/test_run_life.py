"""Whatever happens to a run: what is told of it is what happened."""

import shutil
import tempfile
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.domain.run import RunState
from studio.protocol.commands import Pause, Stop
from studio.protocol.events import StepFinished
from studio.services.engine_process import EngineProcess
from studio.services.resuming import can_resume, refuse_resuming
from studio.services.run_files import delete_run
from studio.services.run_journal import snapshot_of
from studio.storage.run_directory import RunDirectory
from tests.services.conftest import fake_engine

PATIENCE = 200  # batches of a tenth of a second
FATES = ["wait", "wait", "crash", "disk full", "disk full at once", "card lost"]
fates = st.sampled_from([*FATES, "finish"])


class RunLife(RuleBasedStateMachine):
    """A run, its engine, and what must be told of both."""

    def __init__(self):
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.run = self.engine = None
        self.state, self.steps, self.kept, self.failure = None, 0, [], None

    @precondition(lambda self: self.run is None)
    @rule(fate=fates)
    def create_and_start(self, fate):
        self.run = RunDirectory.create(self.folder, "run", Recipe())
        self.steps, self.kept = 0, []
        self._start(fate)

    @precondition(lambda self: self.run is not None and self.engine is None)
    @rule(fate=fates)
    def go_on(self, fate):
        over = self.state is RunState.FINISHED
        if over or not (self.kept or self.state is RunState.PAUSED):
            with pytest.raises(StudioError):
                refuse_resuming(snapshot_of(self.run))
            assert not can_resume(snapshot_of(self.run))
            return
        refuse_resuming(snapshot_of(self.run))
        self.steps = self.kept[-1] if self.kept else 0
        self._start(fate, "--resume")

    @precondition(lambda self: self.engine is not None)
    @rule()
    def pause(self):
        self.engine.send(Pause())
        self._end(RunState.PAUSED)
        self.kept.append(self.steps)

    @precondition(lambda self: self.engine is not None)
    @rule()
    def stop(self):
        self.engine.send(Stop())
        self._end(RunState.STOPPED)
        self.kept.append(self.steps)

    @precondition(lambda self: self.engine is not None)
    @rule()
    def cancel(self):
        self.engine.kill()
        self._end(RunState.LOST)

    @precondition(lambda self: self.engine is not None)
    @rule()
    def refuse_a_second_engine(self):
        with pytest.raises(StudioError, match="is being trained"):
            refuse_resuming(snapshot_of(self.run))

    @precondition(lambda self: self.run is not None and self.engine is None)
    @rule()
    def delete(self):
        delete_run(self.run)
        assert not self.run.path.exists()
        self.run = self.state = None

    def _start(self, fate, *options):
        (self.run.path / "fate").write_text(fate)
        command = [*fake_engine("fated", self.run), *options]
        self.engine = EngineProcess(command, log_path=self.run.log_path)
        self.engine.start()
        at_once = fate == "disk full at once"
        first = self.steps
        self._listen(first + (1 if at_once else 3))
        self.steps = first + (1 if at_once else 3)
        if not at_once:
            self.kept.append(first + 2)
        match fate:
            case "wait":
                self.state, self.failure = RunState.RUNNING, None
            case "crash":
                self._end(RunState.LOST)
            case "finish":
                self._end(RunState.FINISHED)
                self.kept.append(self.steps)
            case _:
                card = fate == "card lost"
                self._end(RunState.PAUSED, "card.lost" if card else "disk.full")

    def _listen(self, step):
        for _ in range(PATIENCE):
            for event in self.engine.read_batch(0.1):
                if isinstance(event, StepFinished) and event.step == step:
                    return
        raise AssertionError(f"step {step} was never told")

    def _end(self, state, failure=None):
        for _ in range(PATIENCE):
            self.engine.read_batch(0.1)
            if self.engine.has_ended():
                break
        self.engine.close()
        self.engine = None
        self.state, self.failure = state, failure

    @invariant()
    def what_is_told_is_what_happened(self):
        if self.run is None:
            return
        told = snapshot_of(self.run)
        assert told.state is self.state
        assert [point.step for point in told.steps] == list(range(1, self.steps + 1))
        assert {step for step, _ in told.checkpoints} == set(self.kept)
        if self.state is RunState.PAUSED:
            assert (told.failure.code if told.failure else None) == self.failure

    @invariant()
    def nothing_is_orphaned(self):
        mine = [
            child
            for child in psutil.Process().children(recursive=True)
            if str(self.folder) in " ".join(_command_of(child))
        ]
        assert len(mine) == (self.engine is not None)

    def teardown(self):
        if self.engine is not None:
            self.engine.kill()
            self.engine.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _command_of(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_that_a_run_is_told_as_it_happened_whatever_happens():
    run_state_machine_as_test(
        RunLife,
        settings=settings(
            max_examples=12,
            stateful_step_count=10,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
