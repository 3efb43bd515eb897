import os
import signal
import time

import pytest

from studio.domain.run import EngineIdentity
from studio.protocol.commands import KeepRunning, SaveNow, Stop
from studio.protocol.events import (
    CheckpointSaved,
    Detached,
    Hello,
    LogLine,
    RunFinished,
    StepFinished,
)
from studio.services.engine_process import EngineProcess
from studio.services.process_outcome import Ordered
from studio.system.processes import identity_of, is_alive, kill_group
from tests.services.conftest import fake_engine


@pytest.fixture
def started():
    engines = []

    def start(scene, **options):
        engine = EngineProcess(fake_engine(scene), **options)
        engines.append(engine)
        engine.start()
        return engine

    yield start
    for engine in engines:
        engine.close()


def heard_until_the_end(engine):
    events = []
    while not engine.has_ended():
        events += engine.read_batch(0.05)
    return events + engine.read_batch(0.05)


def heard_until(engine, kind):
    events = []
    while not any(isinstance(event, kind) for event in events):
        assert not engine.has_ended()
        events += engine.read_batch(0.05)
    return events


def test_that_everything_said_is_heard_in_order(started):
    engine = started("normal")
    events = heard_until_the_end(engine)
    engine.close()
    assert isinstance(events[0], Hello)
    assert [e.step for e in events if isinstance(e, StepFinished)] == [1, 2, 3, 4, 5]
    assert isinstance(events[-1], RunFinished)
    outcome = engine.outcome()
    assert (outcome.exit_code, outcome.saved_step) == (0, 5)
    assert outcome.last_word == events[-1]


def test_that_garbage_on_the_wire_becomes_a_remark(started):
    engine = started("garbage")
    events = heard_until_the_end(engine)
    assert len([event for event in events if isinstance(event, LogLine)]) == 3
    assert isinstance(events[-1], RunFinished)


def test_that_orders_are_obeyed(started):
    engine = started("steps")
    heard_until(engine, StepFinished)
    engine.send(SaveNow())
    heard_until(engine, CheckpointSaved)
    engine.send(Stop())
    ended = heard_until_the_end(engine)[-1]
    assert isinstance(ended, RunFinished)
    assert ended.stopped


def test_that_an_order_to_an_engine_that_is_gone_is_no_fault(started):
    engine = started("fails")
    heard_until_the_end(engine)
    engine.send(Stop())
    engine.send(Stop())
    engine.close()
    assert engine.outcome().exit_code == 10


def test_that_an_exit_is_seen_though_a_grandchild_holds_the_wire(qtbot, started):
    engine = started("grandchild")
    (told,) = [e for e in heard_until_the_end(engine) if isinstance(e, LogLine)]
    assert identity_of(int(told.text)) is not None
    engine.close()
    assert engine.outcome().exit_code == -signal.SIGKILL
    qtbot.waitUntil(lambda: identity_of(int(told.text)) is None, timeout=10_000)


def test_that_closing_ends_an_engine_that_was_not_let_go(started):
    engine = started("stuck")
    (hello, *_) = heard_until(engine, Hello)
    engine.close()
    assert not is_alive(EngineIdentity(hello.pid, hello.started_at))


def test_that_an_engine_that_was_let_go_lives_on(started):
    engine = started("steps")
    (hello, *_) = heard_until(engine, Hello)
    engine.send(KeepRunning())
    heard_until(engine, Detached)
    engine.ordered = Ordered.LET_GO
    identity = EngineIdentity(hello.pid, hello.started_at)
    engine.close()
    time.sleep(0.1)  # the end of its input reaches it
    assert is_alive(identity)
    assert engine.outcome().exit_code is None
    kill_group(identity)
    os.waitpid(hello.pid, 0)
    assert engine._reader_ended.wait(10)


def test_that_an_engine_is_tied_to_the_end_of_its_input(started):
    engine = started("steps")
    heard_until(engine, Hello)
    engine._process.stdin.close()
    heard_until_the_end(engine)
    engine.close()
    assert engine.outcome().exit_code == 14


def test_that_an_engine_started_to_outlive_its_window_ignores_that_end(started):
    engine = started("steps", keep_running=True)
    heard_until(engine, Hello)
    engine._process.stdin.close()
    heard_until(engine, StepFinished)
    assert not engine.has_ended()


def test_that_libraries_output_goes_to_the_log(started, tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("earlier\n")
    engine = started("crash", log_path=log)
    heard_until_the_end(engine)
    engine.close()
    assert "earlier" in log.read_text()
    assert "ZeroDivisionError" in log.read_text()
    assert engine.outcome().exit_code == -signal.SIGABRT


def test_that_an_engine_without_a_log_floods_nobody(started):
    engine = started("crash")
    heard_until_the_end(engine)
    engine.close()
    assert engine.outcome().log_path is None


def test_that_an_engine_that_hangs_after_its_last_word_is_noticed(started, monkeypatch):
    monkeypatch.setattr("studio.services.engine_process.EXIT_PATIENCE_S", 0.0)
    engine = started("hangs-at-exit")
    assert not engine.hangs_at_exit()
    heard_until(engine, RunFinished)
    time.sleep(0.01)
    assert engine.hangs_at_exit()
