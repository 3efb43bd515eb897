"""Orders from elsewhere reach a training engine; a second engine is kept out."""

import os

import pytest

from studio.domain.errors import ExitCode
from studio.domain.run import RunState
from studio.protocol.commands import Pause, SaveNow, Stop
from studio.protocol.events import (
    CheckpointSaved,
    RunFailed,
    RunPaused,
    RunResumed,
    StepFinished,
)
from studio.services import ordering
from studio.services.run_journal import snapshot_of
from tests.engine.helpers import engine, new_run, of_kind, recipe_for

ENDLESS = 1_000_000


@pytest.fixture
def endless(tmp_path, tiny_model, chat_file):
    return new_run(
        tmp_path / "runs", recipe_for(tiny_model, chat_file, train__max_steps=ENDLESS)
    )


def test_that_a_run_is_paused_and_stopped_through_its_folder(endless):
    endless.post_box.post(Stop())  # of a former time: nobody obeys it
    with engine("train", endless.path) as process:
        process.listen_until(StepFinished)
        ordering.order(endless, SaveNow())
        process.listen_until(CheckpointSaved)
        ordering.order(endless, Pause())
        code, _ = process.end()
    assert code == ExitCode.OK
    paused = process.events[-1]
    assert isinstance(paused, RunPaused)
    assert paused.step > 0
    with engine("train", endless.path, "--resume") as process:
        assert process.listen_until(RunResumed).step == paused.step
        process.listen_until(StepFinished)
        ordering.order(endless, Stop())
        code, _ = process.end()
    assert code == ExitCode.OK
    told = snapshot_of(endless)
    assert told.state is RunState.STOPPED
    assert told.step > paused.step


def test_that_a_second_engine_is_refused_and_the_first_goes_on(endless):
    with engine("train", endless.path) as first:
        first.listen_until(StepFinished)
        with engine("train", endless.path, "--resume") as second:
            code, _ = second.end()
        assert code == ExitCode.BAD_INPUT
        refused = second.events[-1]
        assert isinstance(refused, RunFailed)
        assert refused.kind == "run.taken"
        assert of_kind(endless.events(), RunFailed) == []
        first.listen_until(StepFinished)
        first.popen.kill()  # a holder that crashed holds nothing
        first.popen.wait()
        with engine("train", endless.path) as third:
            third.listen_until(StepFinished)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="asks for process groups")
def test_that_a_cancelled_run_keeps_its_checkpoints_and_is_told_so(endless):
    with engine("train", endless.path) as process:
        process.listen_until(StepFinished)
        process.order(SaveNow())
        saved = process.listen_until(CheckpointSaved)
        told = ordering.cancel(endless)
        process.popen.wait()
    assert told.state is RunState.LOST
    assert told.failure.code == "run.cancelled"
    assert f"Saved up to step {saved.step}" in told.failure.what
    assert (endless.path / saved.path).is_dir()
