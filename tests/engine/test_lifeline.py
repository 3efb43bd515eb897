"""When the work may be interrupted, and when it is left to finish."""

import contextlib
import signal

import pytest

from studio.domain.errors import ExitCode
from studio.domain.run import Phase
from studio.engine.lifeline import Interrupted, Lifeline
from studio.protocol.codec import encode
from studio.protocol.commands import KeepRunning, SampleNow, SaveNow, Stop
from studio.protocol.events import Detached, LogLine, PhaseChanged, Stopping
from tests.engine.helpers import Heard, of_kind


@pytest.fixture
def lifeline():
    """Listens to the signals of this process while the test runs."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    # Nothing is asked of the system: this process must not die with its parent.
    line = Lifeline(keep_running=True)
    line.install()
    yield line
    line.release()
    for number, handler in before.items():
        signal.signal(number, handler)


def terminate():
    signal.raise_signal(signal.SIGTERM)


def work(lifeline, *deeds):
    """Do deeds that may be interrupted, and tell which were done."""
    done = []
    with contextlib.suppress(Interrupted), lifeline.open():
        for deed in deeds:
            deed()
            done.append(deed)
    return done


def nothing():
    """A deed that is only there to be reached."""


def test_that_open_work_ends_at_once(lifeline):
    assert work(lifeline, nothing, terminate, nothing) == [nothing]
    assert lifeline.is_cut
    assert lifeline.exit_code is ExitCode.STOPPED


def test_that_held_work_is_finished_first(lifeline):
    finished = []

    def held():
        with lifeline.held():
            terminate()
            finished.append("held")

    assert work(lifeline, held, nothing) == []
    assert finished == ["held"]


def test_that_work_that_isnt_open_is_finished(lifeline):
    terminate()
    assert lifeline.is_cut
    assert work(lifeline, nothing) == []


def test_that_cleaning_up_is_not_interrupted_again(lifeline):
    cleaned = []

    def work_that_cleans_up():
        try:
            terminate()
        finally:
            terminate()
            cleaned.append("all of it")

    work(lifeline, work_that_cleans_up)
    assert cleaned == ["all of it"]


def test_that_libraries_cant_swallow_an_interruption(lifeline):
    assert not issubclass(Interrupted, Exception)


def test_that_the_end_of_input_is_the_end_of_the_work(lifeline):
    tied = Lifeline()
    tied.install_handlers()
    # The interruption comes within a few instructions.
    assert len(work(tied, tied.input_ended, *[nothing] * 1000)) < 1000
    assert tied.exit_code is ExitCode.ORPHANED
    tied.release()


def test_that_the_end_of_input_means_nothing_to_an_engine_that_keeps_running(lifeline):
    with lifeline.open():
        lifeline.input_ended()
    assert not lifeline.is_cut


@pytest.fixture
def heard():
    heard = Heard()
    yield heard
    heard.close()


def test_that_an_order_to_stop_is_confirmed_and_kept(heard):
    heard.session.hear(encode(Stop(save=False)))
    orders = heard.session.orders
    assert (orders.stop_is_ordered, orders.keeps_work) == (True, False)
    with pytest.raises(Interrupted):
        heard.session.enter(Phase.TRAINING)
    heard.session.conclude(Phase.SAVING)
    stopping, saving = heard.events()
    assert isinstance(stopping, Stopping)
    assert isinstance(saving, PhaseChanged)


def test_that_a_wish_is_carried_out_once(heard):
    orders = heard.session.orders
    heard.session.hear(encode(SaveNow()))
    heard.session.hear(encode(SampleNow()))
    assert (orders.take_save(), orders.take_save()) == (True, False)
    assert (orders.take_sample(), orders.take_sample()) == (True, False)


def test_that_letting_go_is_confirmed_and_unties(heard):
    heard.session.hear(encode(KeepRunning()))
    heard.session.lifeline.input_ended()
    assert not heard.session.lifeline.is_cut
    assert len(of_kind(heard.events(), Detached)) == 1


def test_that_nonsense_on_stdin_is_noted_and_passed_over(heard):
    heard.session.hear(b'{"command": "explode"}')
    (noted,) = heard.events()
    assert isinstance(noted, LogLine)
    assert "explode" in noted.text
