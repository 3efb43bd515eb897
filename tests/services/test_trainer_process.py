import os

import pytest
from PySide6.QtCore import QThread

from studio.domain.run import EngineIdentity
from studio.protocol.events import (
    CheckpointSaved,
    RunFinished,
    SampleProduced,
    StepFinished,
    Stopping,
)
from studio.services import trainer_process
from studio.services.background import WorkerThread
from studio.services.engine_process import EngineProcess
from studio.services.process_outcome import Ordered
from studio.services.trainer_process import TrainingWorker
from studio.system.processes import kill_group
from tests.services.conftest import fake_engine

PATIENCE_MS = 20_000


class Story:
    """What a worker told."""

    def __init__(self, worker, thread):
        self.worker = worker
        self.thread = thread
        self.events = []
        self.outcomes = []
        self.batches = 0

    def hear(self, events):
        self.batches += 1
        self.events += events

    def identity(self):
        hello = self.events[0]
        return EngineIdentity(hello.pid, hello.started_at)

    def has(self, kind):
        return any(isinstance(event, kind) for event in self.events)


@pytest.fixture
def play(qtbot):
    stories = []

    def begin(scene, command=None, grace_s=60.0):
        engine = EngineProcess(command or fake_engine(scene))
        worker = TrainingWorker(engine, grace_s=grace_s)
        story = Story(worker, WorkerThread(worker, worker.run))
        stories.append(story)
        worker.events_arrived.connect(story.hear)
        worker.run_ended.connect(story.outcomes.append)
        story.thread.start()
        return story

    yield begin
    for story in stories:
        story.worker.kill()
        story.thread.join()


def ending_of(qtbot, story):
    qtbot.waitUntil(lambda: bool(story.outcomes), timeout=PATIENCE_MS)
    story.thread.join()
    qtbot.wait(1)
    (outcome,) = story.outcomes
    return outcome


def test_that_a_run_is_told_from_its_first_event_to_its_outcome(qtbot, play):
    story = play("normal")
    outcome = ending_of(qtbot, story)
    assert [e.step for e in story.events if isinstance(e, StepFinished)] == [
        1,
        2,
        3,
        4,
        5,
    ]
    assert isinstance(story.events[-1], RunFinished)
    assert outcome.sentence() == "Finished after 5 steps."


def test_that_events_come_in_batches(qtbot, play):
    story = play("killed")
    ending_of(qtbot, story)
    assert len(story.events) == 11
    assert story.batches < len(story.events)


@pytest.mark.parametrize(
    ("scene", "sentence"),
    [
        ("killed", "ended without a word (signal 9). Saved up to step 7."),
        ("crash", "ended without a word (signal 6). Nothing was saved yet."),
        ("grandchild", "ended without a word (signal 9). Nothing was saved yet."),
        ("garbage", "Finished after 1 step."),
        ("fails", "No rows."),
    ],
)
def test_that_every_end_is_told_once_in_words(qtbot, play, scene, sentence):
    outcome = ending_of(qtbot, play(scene))
    assert outcome.sentence().endswith(sentence)


def test_that_an_engine_that_can_t_be_started_is_told(qtbot, play):
    outcome = ending_of(qtbot, play("", command=["/no/such/program"]))
    assert "could not be followed" in outcome.sentence()
    assert "/no/such/program" in outcome.sentence()
    assert not outcome.succeeded


def test_that_a_fault_of_the_worker_itself_is_told_and_ends_the_engine(
    qtbot, play, monkeypatch
):
    def fail(_engine, _seconds):
        raise ZeroDivisionError

    monkeypatch.setattr(EngineProcess, "read_batch", fail)
    outcome = ending_of(qtbot, play("steps"))
    assert outcome.fault == "ZeroDivisionError"
    assert outcome.exit_code == -9


def test_that_orders_reach_the_engine(qtbot, play):
    story = play("steps")
    qtbot.waitUntil(lambda: story.has(StepFinished), timeout=PATIENCE_MS)
    story.worker.save_now()
    story.worker.sample_now()
    qtbot.waitUntil(
        lambda: story.has(CheckpointSaved) and story.has(SampleProduced),
        timeout=PATIENCE_MS,
    )
    story.worker.stop()
    outcome = ending_of(qtbot, story)
    assert story.has(Stopping)
    assert outcome.sentence().startswith("Stopped after step")
    assert outcome.ordered is Ordered.STOP


def test_that_an_engine_deaf_to_stop_is_terminated(qtbot, play):
    story = play("deaf", grace_s=0.2)
    qtbot.waitUntil(lambda: bool(story.events), timeout=PATIENCE_MS)
    story.worker.stop()
    outcome = ending_of(qtbot, story)
    assert outcome.ordered is Ordered.TERMINATE
    assert outcome.exit_code == 143


def test_that_an_engine_deaf_to_everything_is_killed(qtbot, play, monkeypatch):
    monkeypatch.setattr(trainer_process, "TERMINATE_GRACE_S", 0.2)
    story = play("stuck", grace_s=0.2)
    qtbot.waitUntil(lambda: bool(story.events), timeout=PATIENCE_MS)
    story.worker.stop()
    outcome = ending_of(qtbot, story)
    assert outcome.ordered is Ordered.KILL
    assert outcome.exit_code == -9
    assert "ended by force" in outcome.sentence()


def test_that_an_engine_at_work_is_given_more_time_to_stop(qtbot, play):
    story = play("busy-stopping", grace_s=1.0)
    qtbot.waitUntil(lambda: bool(story.events), timeout=PATIENCE_MS)
    story.worker.stop()
    outcome = ending_of(qtbot, story)
    assert outcome.ordered is Ordered.STOP
    assert isinstance(outcome.last_word, RunFinished)


def test_that_an_engine_at_work_is_ended_when_there_is_no_time(qtbot, play):
    story = play("busy-stopping")
    qtbot.waitUntil(lambda: bool(story.events), timeout=PATIENCE_MS)
    story.worker.stop_within(0.5)
    outcome = ending_of(qtbot, story)
    assert outcome.ordered is Ordered.TERMINATE
    assert outcome.last_word is None


def test_that_an_engine_that_nobody_can_end_is_given_up(qtbot, play, monkeypatch):
    monkeypatch.setattr(trainer_process, "TERMINATE_GRACE_S", 0.2)
    story = play("stuck")
    qtbot.waitUntil(lambda: bool(story.events), timeout=PATIENCE_MS)
    with monkeypatch.context() as broken:
        broken.setattr(EngineProcess, "kill", lambda _engine: None)
        broken.setattr("studio.services.engine_process._REAP_PATIENCE_S", 0.1)
        story.worker.kill()
        outcome = ending_of(qtbot, story)
    assert "does not end even when it is killed" in outcome.sentence()
    kill_group(story.identity())
    os.waitpid(story.identity().pid, 0)


@pytest.mark.parametrize(("rung", "code"), [("terminate", 143), ("kill", -9)])
def test_that_each_rung_can_be_gone_up_by_hand(qtbot, play, rung, code):
    story = play("deaf")
    qtbot.waitUntil(lambda: bool(story.events), timeout=PATIENCE_MS)
    getattr(story.worker, rung)()
    assert ending_of(qtbot, story).exit_code == code


def test_that_an_engine_that_hangs_at_its_exit_is_ended_and_its_result_kept(
    qtbot, play, monkeypatch
):
    monkeypatch.setattr("studio.services.engine_process.EXIT_PATIENCE_S", 0.1)
    outcome = ending_of(qtbot, play("hangs-at-exit"))
    assert outcome.succeeded
    assert outcome.ordered is Ordered.NOTHING


def test_that_signals_arrive_in_the_thread_of_their_receiver(qtbot, play):
    from PySide6.QtCore import QObject

    class Receiver(QObject):
        def __init__(self):
            super().__init__()
            self.threads = set()

        def on_events(self, _events):
            self.threads.add(QThread.currentThread())

    receiver = Receiver()
    story = play("normal")
    story.worker.events_arrived.connect(receiver.on_events)
    ending_of(qtbot, story)
    assert receiver.threads == {receiver.thread()}
