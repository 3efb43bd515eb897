"""One trainer and one leader a run; who is gone holds nothing."""

import subprocess
import sys

import pytest

from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.storage import run_lock
from studio.storage.run_directory import RunDirectory

HOLDER = """
import sys, time
from pathlib import Path
from studio.storage.run_directory import RunDirectory
from studio.storage import run_lock
with getattr(run_lock, sys.argv[2])(RunDirectory(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path, "run", Recipe())


@pytest.fixture(params=["held", "led"])
def kind(request):
    """Which of the two locks."""
    return request.param


@pytest.fixture
def take(run, kind):
    """Takes the run's lock of that kind."""
    return lambda: getattr(run_lock, kind)(run)


@pytest.fixture
def is_taken(run, kind):
    """Asks for it."""
    return lambda: getattr(run_lock, f"is_{kind}")(run)


@pytest.fixture
def holder(run, kind):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run.path), kind], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_that_a_second_holder_is_refused_in_words(
    run, holder, take, is_taken, monkeypatch
):
    monkeypatch.setattr(run_lock, "_PATIENCE_S", 0.1)
    assert is_taken()
    assert run_lock.is_in_hand(run)
    with pytest.raises(StudioError) as refused, take():
        pass
    assert refused.value.finding.code == "run.taken"
    assert run.name in refused.value.finding.what


def test_that_a_killed_holder_lets_go(run, holder, take, is_taken):
    holder.kill()
    holder.wait()
    assert not is_taken()
    assert not run_lock.is_in_hand(run)
    with take():
        pass


def test_that_asking_leaves_a_free_lock_free(take, is_taken):
    assert not is_taken()
    with take():
        assert is_taken()
    assert not is_taken()
    assert not is_taken()


def test_that_who_leads_a_run_doesn_t_keep_its_engine_out(run):
    with run_lock.led(run):
        assert not run_lock.is_held(run)
        with run_lock.held(run):
            assert run_lock.is_held(run)
