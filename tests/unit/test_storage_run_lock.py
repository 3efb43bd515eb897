"""One trainer a run, and a holder that is gone holds nothing."""

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
from studio.storage.run_lock import held
with held(RunDirectory(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path, "run", Recipe())


@pytest.fixture
def holder(run):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run.path)], stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_that_a_second_holder_is_refused_in_words(run, holder, monkeypatch):
    monkeypatch.setattr(run_lock, "_PATIENCE_S", 0.1)
    assert run_lock.is_held(run)
    with pytest.raises(StudioError) as refused, run_lock.held(run):
        pass
    assert refused.value.finding.code == "run.taken"
    assert run.name in refused.value.finding.what


def test_that_a_killed_holder_lets_go(run, holder):
    holder.kill()
    holder.wait()
    assert not run_lock.is_held(run)
    with run_lock.held(run):
        pass


def test_that_asking_leaves_a_free_lock_free(run):
    assert not run_lock.is_held(run)
    with run_lock.held(run):
        assert run_lock.is_held(run)
    assert not run_lock.is_held(run)
    assert not run_lock.is_held(run)
