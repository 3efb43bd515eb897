"""The engine as a process: told to stop, cut off, killed, or left alone."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from studio.domain.errors import ExitCode
from studio.engine.lifeline import KEEP_RUNNING, PARENT_PID
from studio.protocol.commands import KeepRunning, SampleNow, SaveNow, Stop
from studio.protocol.events import (
    CheckpointSaved,
    Detached,
    Diagnosed,
    Hello,
    RunFinished,
    SampleProduced,
    StepFinished,
    Stopping,
)
from tests.engine.helpers import engine, new_run, of_kind, recipe_for

ENDLESS = 1_000_000
PATIENCE_S = 60


@pytest.fixture
def endless(tmp_path, tiny_model, chat_file):
    return new_run(
        tmp_path / "runs",
        recipe_for(tiny_model, chat_file, train__max_steps=ENDLESS),
    )


@pytest.fixture
def short(tmp_path, tiny_model, chat_file):
    return new_run(
        tmp_path / "runs", recipe_for(tiny_model, chat_file, train__max_steps=60)
    )


def assert_saved(run, *, stopped):
    last = list(run.events())[-1]
    assert isinstance(last, RunFinished)
    assert last.stopped is stopped
    assert last.adapter == "adapter"
    assert (run.adapter_path / "adapter_model.safetensors").is_file()


def test_that_orders_are_carried_out_and_a_stop_saves_the_adapter(endless):
    with engine("train", endless.path) as process:
        hello = process.listen_until(Hello)
        assert hello.pid == process.popen.pid
        started = psutil.Process(hello.pid).create_time()
        assert hello.started_at == pytest.approx(started)
        process.listen_until(StepFinished)
        process.order(SaveNow())
        saved = process.listen_until(CheckpointSaved)
        process.order(SampleNow())
        sampled = process.listen_until(SampleProduced)
        process.order(Stop())
        process.listen_until(Stopping)
        code, _ = process.end()
    assert code == ExitCode.OK
    assert (endless.path / saved.path / "adapter_model.safetensors").is_file()
    assert sampled.step >= saved.step > 0
    assert_saved(endless, stopped=True)
    assert list(endless.events()) == process.events
    steps = of_kind(process.events, StepFinished)
    assert process.events[-1].steps == steps[-1].step < ENDLESS


def test_that_a_stop_without_saving_leaves_no_adapter(endless):
    with engine("train", endless.path) as process:
        process.listen_until(StepFinished)
        process.order(Stop(save=False))
        code, _ = process.end()
    assert code == ExitCode.OK
    assert process.events[-1].adapter == ""
    assert not endless.adapter_path.exists()


def test_that_a_killed_engine_leaves_a_journal_of_all_that_was_said(endless):
    with engine("train", endless.path) as process:
        for _ in range(5):
            process.listen_until(StepFinished)
        process.popen.kill()
        code, _ = process.end()
    assert code == -signal.SIGKILL
    journal = list(endless.events())
    assert journal[: len(process.events)] == process.events
    # What the wire lacks was in the sender's hands in that moment.
    assert len(journal) - len(process.events) < 10
    assert isinstance(process.events[0], Hello)


def test_that_the_end_of_input_stops_the_engine_and_saves(endless):
    with engine("train", endless.path) as process:
        process.listen_until(StepFinished)
        process.popen.stdin.close()
        code = process.popen.wait(PATIENCE_S)
    assert code == ExitCode.ORPHANED
    assert_saved(endless, stopped=True)


def test_that_sigterm_stops_the_engine_and_saves(endless):
    with engine("train", endless.path) as process:
        process.listen_until(StepFinished)
        process.popen.terminate()
        code, _ = process.end()
    assert code == ExitCode.STOPPED
    assert_saved(endless, stopped=True)


def test_that_an_engine_told_to_keep_running_outlives_its_listener(short):
    with engine("train", short.path, **{KEEP_RUNNING: "1"}) as process:
        process.listen_until(StepFinished)
        process.popen.stdin.close()
        process.popen.stdout.close()
        process.popen.wait(PATIENCE_S)
        assert process.popen.returncode == ExitCode.OK
    assert_saved(short, stopped=False)
    assert len(of_kind(list(short.events()), StepFinished)) == 60


STARTER = """
import os, subprocess, sys
environment = {**os.environ, "SNUGTUNE_PARENT_PID": str(os.getpid())}
engine = subprocess.Popen(sys.argv[1:], env=environment, start_new_session=True)
print(engine.pid, flush=True)
engine.wait()
"""


def started_by_another(run):
    """An engine whose parent is not this test, and whose stdin stays open."""
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "studio.engine", "train", str(run.path)]
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, *command],
        stdin=reader,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    os.close(reader)
    pid = int(starter.stdout.readline())
    return starter, psutil.Process(pid), writer


def end(starter):
    """Kill it, and leave the wire that the engine got from it without a reader."""
    starter.kill()
    starter.wait()
    starter.stdout.close()


def wait_for_step(run):
    until = time.monotonic() + PATIENCE_S
    while not of_kind(list(run.events()), StepFinished):
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of it")
def test_that_an_engine_dies_with_its_parent_though_its_input_stays_open(endless):
    starter, child, writer = started_by_another(endless)
    wait_for_step(endless)
    end(starter)
    child.wait(PATIENCE_S)
    os.close(writer)
    assert_saved(endless, stopped=True)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of it")
def test_that_an_engine_that_was_let_go_outlives_its_parent(endless):
    from studio.protocol.codec import encode

    starter, child, writer = started_by_another(endless)
    wait_for_step(endless)
    os.write(writer, encode(KeepRunning()))
    until = time.monotonic() + PATIENCE_S
    while not of_kind(list(endless.events()), Detached):
        assert time.monotonic() < until
        time.sleep(0.05)
    end(starter)
    os.close(writer)
    before = len(list(endless.events()))
    while len(list(endless.events())) < before + 10:
        assert child.is_running()
        time.sleep(0.05)
    child.terminate()
    child.wait(PATIENCE_S)
    assert_saved(endless, stopped=True)


def test_that_only_events_are_on_the_wire_and_the_rest_is_in_the_log(tmp_path):
    with engine("doctor") as process:
        code, log = process.end()
    checks = of_kind(process.events, Diagnosed)
    assert code == ExitCode.OK, [check for check in checks if not check.passed]
    assert [type(event) for event in process.events] == [Hello] + [Diagnosed] * len(
        checks
    )
    names = {check.check for check in checks}
    assert {"torch", "bitsandbytes", "device", "4-bit training"} <= names
    assert "Traceback" not in log


def test_that_a_verb_that_nobody_knows_is_a_usage_error():
    with engine("fly") as process:
        code, log = process.end()
    assert code == ExitCode.USAGE
    assert "invalid choice" in log


def test_that_the_engine_knows_the_names_that_its_starters_use():
    from studio.services import launch

    assert launch.KEEP_RUNNING == KEEP_RUNNING
    assert launch.PARENT_PID == PARENT_PID
