"""A paused run waits for its memory, and for nobody's sake goes on twice."""

import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from studio.domain.errors import StudioError
from studio.domain.hardware import GIB, TrainingDevice
from studio.protocol.codec import encode
from studio.protocol.events import (
    CheckpointSaved,
    Hello,
    MemorySample,
    RunAdapted,
    RunPaused,
    RunResumed,
    StepFinished,
)
from studio.services.project_store import ensure_example
from studio.services.run_journal import snapshot_of
from studio.services.run_need import need_of
from studio.services.run_wait import RunWait
from studio.storage.in_force import put_in_force
from studio.storage.run_lock import held

NOBODY = 4_000_000
CARD = TrainingDevice(
    kind="cuda",
    name="A card",
    total_bytes=12 * GIB,
    free_bytes=10 * GIB,
    has_bf16=True,
    compute_capability=(8, 9),
)
PROCESSOR = replace(CARD, kind="cpu", name="A processor", compute_capability=None)


def say(run, event, **said):
    with run.journal_path.open("ab") as journal:
        journal.write(encode(event(at=datetime.now(UTC), **said)))


def stepped(run, step: int, reserved: int | None, resident: int = GIB):
    say(run, StepFinished, step=step, total=10, epoch=0.1, loss=1.0, lr=1e-4)
    more = {} if reserved is None else {"reserved_bytes": reserved}
    say(run, MemorySample, step=step, process_bytes=resident, **more)


def paused(project, *, reserved: int | None = GIB // 8, kind: str = ""):
    """A run that was paused behind its third step."""
    run = project.new_run(project.recipe.with_value("train.micro_batch", 4))
    say(run, Hello, protocol=1, verb="train", pid=NOBODY, started_at=1.0)
    for step in (1, 2, 3):
        stepped(run, step, reserved)
    say(run, CheckpointSaved, step=3, path="checkpoints/step-3")
    say(run, RunPaused, step=3, kind=kind, message="Full." if kind else "")
    return run


@pytest.fixture
def example(home):
    return ensure_example()


def waits(run, device=CARD, hold_s=20.0, busy=lambda: None) -> RunWait:
    return RunWait(snapshot_of(run), device, hold_s, busy=busy)


def need(run, device=CARD):
    return need_of(snapshot_of(run), device)


def test_that_the_prediction_is_what_must_be_free(example):
    found = need(paused(example))
    assert found.bytes == found.estimate.peak_bytes
    assert found.measured_bytes == GIB // 8 + found.estimate.context_bytes
    assert found.recipe.train.micro_batch == 4


def test_that_what_was_measured_counts_where_it_is_higher(example):
    found = need(paused(example, reserved=7 * GIB))
    assert found.bytes == 7 * GIB + found.estimate.context_bytes


def test_that_a_processor_is_measured_by_what_was_resident(example):
    run = paused(example, reserved=None)
    stepped(run, 4, None, 9 * GIB)
    say(run, RunPaused, step=4)
    found = need(run, PROCESSOR)
    assert (found.kind, found.bytes) == ("cpu", 9 * GIB)


def test_that_a_run_out_of_memory_needs_what_its_next_recipe_takes(example):
    run = paused(example, reserved=9 * GIB, kind="out-of-memory")
    found = need(run)
    assert found.recipe.train.micro_batch == 2
    assert found.recipe.train.accumulation == 2 * example.recipe.train.accumulation
    assert found.measured_bytes is None
    assert found.bytes < need(paused(example)).bytes


def test_that_only_the_recipe_in_force_was_measured(example):
    run = paused(example, reserved=9 * GIB, kind="out-of-memory")
    smaller = need(run).recipe
    put_in_force(run, smaller)
    before, after = {"train.micro_batch": 4}, {"train.micro_batch": 2}
    say(run, Hello, protocol=1, verb="train", pid=NOBODY, started_at=2.0)
    say(run, RunAdapted, step=3, before=before, after=after)
    say(run, RunResumed, step=3)
    stepped(run, 4, 8 * GIB)
    say(run, RunPaused, step=4)
    found = need(run)
    assert found.recipe == smaller
    assert found.measured_bytes == 8 * GIB + found.estimate.context_bytes


def test_that_it_goes_on_when_its_memory_has_been_free(example):
    wait = waits(paused(example))
    assert wait.look(CARD, 0.0) is None
    assert wait.look(CARD, 19.0) is None
    with wait.look(CARD, 20.0):
        pass


def test_that_a_full_card_is_waited_for(example):
    wait = waits(paused(example))
    full = replace(CARD, free_bytes=GIB // 4)
    assert wait.look(CARD, 0.0) is None
    assert wait.look(full, 10.0) is None
    assert wait.look(CARD, 20.0) is None
    assert wait.state.seconds_left == 20.0


def test_that_of_two_that_wait_one_goes_on(example):
    first, second = waits(paused(example)), waits(paused(example))
    for now in (0.0, 10.0):
        first.look(CARD, now)
        second.look(CARD, now)
    with first.look(CARD, 20.0):
        assert second.look(CARD, 20.0) is None
        assert "another run that waited" in second.state.sentence()
        assert second.look(CARD, 21.0) is None
        assert second.state.seconds_left == 20.0
    second.look(CARD, 30.0)
    with second.look(CARD, 41.0):
        pass


def test_that_a_run_which_trains_is_waited_for(example):
    busy = paused(example)
    wait = waits(paused(example), busy=lambda: busy)
    with held(busy):
        wait.look(CARD, 0.0)
        assert wait.look(CARD, 20.0) is None
        assert wait.look(CARD, 21.0) is None
        assert wait.state.sentence() == f"Waits for {busy.name} to end."
    wait.look(CARD, 22.0)
    assert wait.state.seconds_left == 20.0


def test_that_another_leader_ends_the_wait(example):
    run = paused(example)
    wait = waits(run)
    wait.look(CARD, 0.0)
    say(run, Hello, protocol=1, verb="train", pid=NOBODY, started_at=time.time())
    with pytest.raises(StudioError, match="gone on with by another window or terminal"):
        wait.look(CARD, 1.0)


def test_that_a_deleted_run_ends_the_wait(example):
    run = paused(example)
    wait = waits(run)
    shutil.rmtree(run.path)
    with pytest.raises(StudioError, match="was deleted"):
        wait.look(CARD, 1.0)


@pytest.mark.parametrize(
    ("reserved", "device", "words"),
    [
        (12 * GIB, CARD, "needs 12.29 GiB, and A card has 12.00 GiB in all"),
        (GIB, PROCESSOR, "trained on a card, and none answers now"),
    ],
)
def test_that_what_can_never_come_is_refused_at_once(example, reserved, device, words):
    run = paused(example, reserved=reserved)
    with pytest.raises(StudioError, match=words):
        waits(run, device)


def test_that_a_run_without_a_figure_is_refused_with_the_way_to_one(example):
    unknown = example.recipe.with_value("model.name", "nobody/knows-this")
    run = example.new_run(unknown)
    say(run, Hello, protocol=1, verb="train", pid=NOBODY, started_at=1.0)
    say(run, RunPaused, step=0)
    with pytest.raises(StudioError, match="is not known") as refused:
        waits(run)
    assert str(run.recipe_path) in refused.value.finding.how_to_fix


def test_that_a_finished_run_is_refused_as_ever(example):
    run = paused(example)
    with held(run), pytest.raises(StudioError, match="being trained by another"):
        waits(run)
