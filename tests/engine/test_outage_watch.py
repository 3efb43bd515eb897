"""A machine that may go down during a run is told once, and costs a step at most."""

import threading
import time

import pytest

from studio.domain.errors import ExitCode
from studio.engine import faults, outage_watch
from studio.engine.outage_watch import outages_watched
from studio.engine.progress import StepReporter
from studio.protocol.commands import Pause
from studio.protocol.events import (
    CheckpointSaved,
    RunPaused,
    RunResumed,
    StepFinished,
    Warned,
)
from studio.services.run_journal import snapshot_of
from studio.system.outages import threats
from studio.system.power import Battery
from tests.engine.helpers import Heard, of_kind, train
from tests.engine.test_resume import make_run, weights

PATIENCE_S = 30
MAINS = threats(None, reboots=False)
UNPLUGGED = threats(Battery(60, None), reboots=False)
STEP = 4  # between two that are saved


class Machine:
    """Plays the readings of a machine; tells how often it was read."""

    def __init__(self):
        self.now, self.looks = MAINS, 0

    def read(self):
        found = self.now
        self.looks += 1
        if isinstance(found, Exception):
            raise found
        return found

    def turn(self, now):
        """Become another, and wait until that has been looked at."""
        self.now = now
        # The look under way may have read what was before; the next but one has not.
        until, seen = time.monotonic() + PATIENCE_S, self.looks
        while self.looks < seen + 3:
            assert time.monotonic() < until
            time.sleep(0.005)


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(outage_watch, "threats_now", machine.read)
    monkeypatch.setattr(outage_watch, "_EVERY_S", 0.005)
    return machine


@pytest.fixture
def at_step(monkeypatch):
    """Let something happen before a step is reported."""
    report = StepReporter._report

    def at(number, deed):
        def reported(self, state, logs):
            if state.global_step == number:
                deed(self._session)
            report(self, state, logs)

        monkeypatch.setattr(StepReporter, "_report", reported)

    return at


def warned(events):
    return [each.finding.code for each in of_kind(events, Warned)]


@pytest.fixture(scope="module")
def straight(tmp_path_factory, tiny_model):
    """A run that nothing threatened."""
    run = make_run(tmp_path_factory.mktemp("straight"), tiny_model)
    code, events = train(run)
    assert code is ExitCode.OK
    assert warned(events) == []
    return run


def test_that_a_plug_that_is_pulled_is_told_once_and_costs_no_step(
    machine, at_step, tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    at_step(STEP, lambda _: machine.turn(UNPLUGGED))
    code, events = train(run)
    assert code is ExitCode.OK
    assert warned(events) == ["power.battery"]
    told = next(n for n, each in enumerate(events) if isinstance(each, Warned))
    behind = of_kind(events[told:], CheckpointSaved | StepFinished)
    before = of_kind(events[:told], StepFinished)
    assert before[-1].step == STEP
    assert isinstance(behind[0], CheckpointSaved)
    assert behind[0].step == STEP
    saved = [each.step for each in of_kind(events, CheckpointSaved)]
    assert saved == [3, STEP, 6, 9, 12]
    assert [each.code for each in snapshot_of(run).findings] == ["power.battery"]
    assert weights(run) == weights(straight)


def test_that_a_run_goes_on_from_the_step_that_was_saved_for_it(
    machine, at_step, tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    at_step(STEP, lambda _: machine.turn(UNPLUGGED))
    faults.arm(f"step.begun:lost@{STEP + 1}")  # nothing is saved behind it
    try:
        train(run)
    finally:
        faults.arm("")
    code, events = train(run, resume=True)
    assert code is ExitCode.OK
    assert of_kind(events, RunResumed)[0].step == STEP
    assert weights(run) == weights(straight)


def test_that_a_run_that_keeps_no_checkpoints_is_only_warned(
    machine, at_step, tmp_path, tiny_model, straight
):
    kept = {"train__save_steps": 0, "train__save_minutes": 0}
    run = make_run(tmp_path, tiny_model, **kept)
    at_step(STEP, lambda _: machine.turn(UNPLUGGED))
    code, events = train(run)
    assert code is ExitCode.OK
    assert warned(events) == ["power.battery"]
    assert of_kind(events, CheckpointSaved) == []
    assert weights(run) == weights(straight)


def test_that_going_on_tells_at_once_what_threatens_already(
    machine, at_step, tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    at_step(STEP, lambda session: session.orders.take(Pause()))
    machine.now = UNPLUGGED  # told before a start, as by preflight
    _, events = train(run)
    assert isinstance(events[-1], RunPaused)
    assert warned(events) == []
    _, events = train(run, resume=True)
    assert warned(events) == ["power.battery"]
    told = next(n for n, each in enumerate(events) if isinstance(each, Warned))
    assert of_kind(events[:told], StepFinished) == []
    saved = [each.step for each in of_kind(events, CheckpointSaved)]
    assert saved == [6, 9, 12]
    assert weights(run) == weights(straight)


def test_that_each_change_for_the_worse_is_told_once(machine):
    heard = Heard()
    low = threats(Battery(5, None), reboots=False)
    restart = threats(None, reboots=True)
    told = []
    with outages_watched(heard.session, tells_first=False):
        for now in (UNPLUGGED, MAINS, UNPLUGGED, low, MAINS, restart, low, restart):
            machine.turn(now)
            told.append(heard.session.warn_of_outages())
    assert told == [True, False, False, True, False, True, False, False]
    codes = ["power.battery", "power.battery", "system.reboot-pending"]
    assert warned(heard.events()) == codes


def test_that_a_plug_that_is_pulled_from_a_nearly_empty_battery_is_one_warning(machine):
    heard = Heard()
    with outages_watched(heard.session, tells_first=False):
        machine.turn(threats(Battery(5, None), reboots=False))
        assert heard.session.warn_of_outages()
    assert warned(heard.events()) == ["power.battery"]


def test_that_a_reading_that_fails_costs_nothing_and_is_tried_again(machine):
    heard = Heard()
    with outages_watched(heard.session, tells_first=True):
        machine.turn(OSError("no such firmware"))
        assert not heard.session.warn_of_outages()
        machine.turn(UNPLUGGED)
        assert heard.session.warn_of_outages()
    heard.close()


def test_that_firmware_that_never_answers_holds_no_run_up(monkeypatch):
    gate = threading.Event()
    monkeypatch.setattr(outage_watch, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(
        outage_watch, "threats_now", lambda: gate.wait(PATIENCE_S) and MAINS
    )
    heard = Heard()
    with outages_watched(heard.session, tells_first=True):
        assert not heard.session.warn_of_outages()
    gate.set()
    assert warned(heard.events()) == []
    for thread in threading.enumerate():
        if thread.name == "outage watch":
            thread.join(PATIENCE_S)


def test_that_the_watch_ends_with_its_run(machine):
    heard = Heard()
    with outages_watched(heard.session, tells_first=False):
        pass
    assert "outage watch" not in {each.name for each in threading.enumerate()}
    heard.close()
