"""The window goes on by itself with a run whose memory has been free."""

from dataclasses import replace

import pytest

from studio.domain.errors import StudioError
from studio.domain.hardware import GIB
from studio.domain.run import RunState
from studio.services.resume_when_free import ResumeWhenFree
from studio.services.run_controller import RunController
from studio.services.run_journal import snapshot_of
from studio.services.run_need import need_of
from tests.services.conftest import playing
from tests.services.test_run_controller import example, wait_for_end
from tests.services.test_run_wait import paused
from tests.ui.desks import ToldHardware, reading_without_card

__all__ = ["example"]

ENOUGH = reading_without_card(12.0)
FULL = replace(ENOUGH, ram_available_bytes=GIB // 8)


class Played:
    """A window's services, and a clock that the test moves."""

    def __init__(self, scene, preferences):
        self.now = 0.0
        self.hardware = ToldHardware()
        self.controller = RunController(
            preferences, self.hardware, command_for=playing(scene)
        )
        self.waiting = ResumeWhenFree(
            self.controller, self.hardware, clock=lambda: self.now
        )
        self.failed = []
        self.waiting.wait_failed.connect(self.failed.append)
        self.hardware.tell(ENOUGH)

    def look(self, reading, after=10.0):
        self.now += after
        self.hardware.tell(reading)

    def begin(self, run, hold_s=30.0):
        told = snapshot_of(run)
        need = need_of(told, self.hardware.latest.device())
        self.waiting.begin(told, need, hold_s)


@pytest.fixture
def played(qapp, home):
    from studio.services.preferences import Preferences

    made = []

    def make(scene="normal"):
        made.append(Played(scene, Preferences()))
        return made[-1]

    yield make
    for each in made:
        each.controller.close(keep_running=False)


def test_that_it_goes_on_and_the_turn_is_free_at_its_end(qtbot, played, example):
    window = played("normal")
    run, other = paused(example, reserved=None), paused(example, reserved=None)
    window.begin(run)
    assert window.waiting.state_for(run.path).seconds_left == 30.0
    assert window.waiting.state_for(other.path) is None
    for _ in range(2):
        window.look(ENOUGH)
    assert not window.controller.is_running
    window.look(ENOUGH)
    assert window.controller.is_running
    assert window.waiting.state_for(run.path) is None
    wait_for_end(qtbot, window.controller)
    assert snapshot_of(run).state is RunState.FINISHED
    window.begin(other, hold_s=0.0)
    assert window.controller.is_running
    wait_for_end(qtbot, window.controller)
    assert window.failed == []


def test_that_a_break_begins_the_wait_anew(played, example):
    window, run = played(), paused(example, reserved=None)
    window.begin(run)
    window.look(ENOUGH)
    window.look(FULL)
    window.look(ENOUGH)
    assert window.waiting.state_for(run.path).seconds_left == 30.0
    window.waiting.give_up()


def test_that_a_wait_that_was_given_up_goes_on_with_nothing(played, example):
    window, run = played(), paused(example, reserved=None)
    window.begin(run)
    window.waiting.give_up()
    for _ in range(5):
        window.look(ENOUGH)
    assert not window.controller.is_running
    assert window.waiting.state_for(run.path) is None


def test_that_going_on_by_hand_ends_the_wait(qtbot, played, example):
    window, run = played("normal"), paused(example, reserved=None)
    window.begin(run)
    window.controller.resume(run)
    assert window.waiting.state_for(run.path) is None
    wait_for_end(qtbot, window.controller)
    assert window.failed == []


def test_that_another_window_ends_the_wait_with_a_sentence(played, example):
    window, run = played(), paused(example, reserved=None)
    window.begin(run)
    with run.journal_path.open("ab") as journal:
        journal.write(b"\n")
    window.look(ENOUGH)
    assert window.waiting.state_for(run.path) is None
    assert "so the wait is over" in window.failed[0].what


def test_that_a_run_of_this_window_is_waited_for(qtbot, played, example):
    window, run = played("steps"), paused(example, reserved=None)
    window.controller.start(example, example.recipe)
    window.begin(run)
    for _ in range(3):
        window.look(ENOUGH)
    assert window.waiting.state_for(run.path).busy_with
    assert window.failed == []
    window.waiting.give_up()
    window.controller.stop()
    wait_for_end(qtbot, window.controller)


def test_that_what_cannot_be_waited_for_is_refused(played, example):
    window, run = played(), paused(example, reserved=GIB)
    with pytest.raises(StudioError, match="none answers now"):
        window.begin(run)
    assert window.waiting.state_for(run.path) is None
