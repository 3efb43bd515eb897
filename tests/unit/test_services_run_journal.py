import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.finding import warning
from studio.domain.recipe import Recipe
from studio.domain.run import EngineIdentity, Phase, RunState
from studio.protocol.adapter_events import RanksSpread
from studio.protocol.codec import encode, told
from studio.protocol.events import (
    PROTOCOL_VERSION,
    CheckpointRemoved,
    CheckpointSaved,
    Detached,
    EngineEvent,
    EvalFinished,
    Hello,
    LogLine,
    MemorySample,
    PhaseChanged,
    Progress,
    RunFailed,
    RunFinished,
    RunResumed,
    SampleProduced,
    StepFinished,
    Stopping,
    Warned,
)
from studio.protocol.export_events import Merged
from studio.services.run_journal import (
    empty_snapshot,
    fold,
    fold_all,
    newest_first,
    saved_words,
    snapshot_of,
    with_liveness,
)
from studio.storage.run_directory import RunDirectory

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def after(seconds):
    return NOON + timedelta(seconds=seconds)


def step(number, seconds):
    return StepFinished(
        at=after(seconds),
        step=number,
        total=10,
        epoch=0.1 * number,
        loss=3.0 / number,
        lr=1e-4,
        grad_norm=0.5,
        tokens_per_s=100.0,
    )


HELLO = Hello(
    at=NOON, protocol=1, verb="train", pid=4_194_305, started_at=7.5, device="A card"
)
STORY: list[EngineEvent] = [
    HELLO,
    PhaseChanged(at=after(1), phase="loading-model"),
    Progress(at=after(2), stage="Weights", done=1, total=4, unit="B", eta_s=9),
    PhaseChanged(at=after(3), phase="evaluating"),
    EvalFinished(at=after(4), step=0, loss=3.2, rows=18),
    SampleProduced(at=after(5), step=0, prompt="Why?", text="Hm."),
    PhaseChanged(at=after(10), phase="training"),
    step(1, 12),
    MemorySample(at=after(12), step=1, process_bytes=10, reserved_bytes=30),
    step(2, 13),
    MemorySample(at=after(13), step=2, process_bytes=20, reserved_bytes=20),
    CheckpointSaved(at=after(14), step=2, path="checkpoints/step-2"),
    Warned(at=after(14), finding=told(warning("slow", "It is slow."))),
    LogLine(at=after(14), level="info", text="hm"),
    Stopping(at=after(15)),
    EvalFinished(at=after(16), step=2, loss=2.1, rows=18),
    RunFinished(at=after(20), adapter="adapter", steps=2, stopped=True),
]


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path, "run", Recipe())


def write(run, events):
    run.journal_path.write_bytes(b"".join(map(encode, events)))


def test_that_a_story_is_told_in_full(run):
    snapshot = fold_all(empty_snapshot(run), STORY)
    assert snapshot.state is RunState.STOPPED
    assert snapshot.engine == EngineIdentity(4_194_305, 7.5)
    assert snapshot.device == "A card"
    assert snapshot.total_steps == 10
    assert [point.seconds for point in snapshot.steps] == [2, 3]
    assert snapshot.steps[0].learning_rate == 1e-4
    assert snapshot.held_out_before_and_after() == (3.2, 2.1)
    assert snapshot.peak_bytes == 30
    assert snapshot.samples[0].text == "Hm."
    assert snapshot.checkpoints == ((2, "checkpoints/step-2"),)
    assert [finding.code for finding in snapshot.findings] == ["slow"]
    assert snapshot.adapter == "adapter"
    assert (snapshot.started_at, snapshot.seconds) == (NOON.timestamp(), 20)
    assert snapshot.progress is None


@given(st.lists(st.integers(0, len(STORY)), max_size=4).map(sorted))
def test_that_batches_tell_the_same_story_as_single_events(tmp_path_factory, cuts):
    run = RunDirectory(tmp_path_factory.mktemp("run"))
    whole = fold_all(empty_snapshot(run), STORY)
    parts = empty_snapshot(run)
    for start, end in zip([0, *cuts], [*cuts, len(STORY)], strict=True):
        parts = fold_all(parts, STORY[start:end])
    single = empty_snapshot(run)
    for event in STORY:
        single = fold(single, event)
    assert whole == parts == single


def test_that_folding_changes_no_earlier_snapshot(run):
    before = fold_all(empty_snapshot(run), STORY[:8])
    copy = replace(before)
    fold(before, STORY[9])
    assert before == copy


def test_that_progress_belongs_to_its_phase(run):
    snapshot = fold_all(empty_snapshot(run), STORY[:3])
    assert snapshot.phase is Phase.LOADING_MODEL
    assert snapshot.progress is not None
    assert snapshot.progress.eta_s == 9
    assert fold(snapshot, STORY[3]).progress is None


def test_that_an_unknown_phase_leaves_the_known_one(run):
    snapshot = fold_all(empty_snapshot(run), STORY[:2])
    later = fold(snapshot, PhaseChanged(phase="dreaming"))
    assert later.phase is Phase.LOADING_MODEL


def test_that_a_failure_keeps_its_kind_and_advice(run):
    failed = RunFailed(kind="out-of-memory", message="Too large.", advice="Shrink it.")
    snapshot = fold_all(empty_snapshot(run), [HELLO, failed])
    assert snapshot.state is RunState.FAILED
    assert snapshot.failure is not None
    assert snapshot.failure.code == "out-of-memory"
    assert snapshot.failure.how_to_fix == "Shrink it."


def test_that_a_second_hello_takes_the_run_up_again(run):
    failed = RunFailed(kind="x", message="y")
    again = Hello(protocol=1, verb="train", pid=9, started_at=8.0)
    snapshot = fold_all(empty_snapshot(run), [HELLO, step(1, 3), failed, again])
    assert snapshot.state is RunState.RUNNING
    assert snapshot.failure is None
    assert snapshot.engine == EngineIdentity(9, 8.0)
    assert snapshot.device == "A card"
    assert snapshot.step == 1


def test_that_a_newer_protocol_is_told(run):
    newer = Hello(protocol=PROTOCOL_VERSION + 1, verb="train", pid=1, started_at=1.0)
    snapshot = fold(empty_snapshot(run), newer)
    assert [finding.code for finding in snapshot.findings] == ["run.newer-engine"]


@pytest.mark.parametrize(
    "event", [LogLine(level="info", text="x"), Detached()], ids=["log", "detached"]
)
def test_that_events_about_nothing_else_move_only_the_clock(run, event):
    snapshot = fold_all(empty_snapshot(run), STORY[:8])
    assert replace(fold(snapshot, event), seconds=0) == replace(snapshot, seconds=0)


def test_that_a_merged_model_in_the_run_is_named_relative(run):
    inside = Merged(path=str(run.merged_path), dtype="bf16", size_bytes=1)
    outside = Merged(path="/elsewhere", dtype="bf16", size_bytes=1)
    assert fold(empty_snapshot(run), inside).merged == "merged"
    assert fold(empty_snapshot(run), outside).merged == "/elsewhere"


def test_that_a_merged_model_on_disk_is_found_without_an_event(run):
    write(run, STORY)
    assert snapshot_of(run).merged is None
    run.merged_path.mkdir()
    (run.merged_path / "config.json").write_text("{}")
    assert snapshot_of(run).merged == "merged"


def test_that_a_run_whose_engine_is_gone_is_lost_and_says_what_is_saved(run):
    write(run, STORY[:12])
    snapshot = snapshot_of(run)
    assert snapshot.state is RunState.LOST
    assert snapshot.step == 2
    assert snapshot.failure is not None
    assert "Saved up to step 2." in snapshot.failure.what
    assert "can be gone on with from there" in snapshot.failure.how_to_fix
    assert "snugtune" not in snapshot.failure.how_to_fix  # the window says it too


def test_that_checkpoints_which_made_room_are_not_told_of(run):
    write(run, [*STORY[:12], CheckpointRemoved(at=after(20), step=2)])
    snapshot = snapshot_of(run)
    assert snapshot.checkpoints == ()
    assert "Nothing was saved yet." in snapshot.failure.what


def test_that_a_run_whose_engine_lives_is_running(run):
    me = psutil.Process()
    mine = Hello(protocol=1, verb="train", pid=os.getpid(), started_at=me.create_time())
    write(run, [mine, *STORY[6:12]])
    assert snapshot_of(run).state is RunState.RUNNING


def test_that_a_pid_that_somebody_else_got_is_no_engine(run):
    stranger = Hello(protocol=1, verb="train", pid=os.getpid(), started_at=1.0)
    write(run, [stranger])
    assert snapshot_of(run).state is RunState.LOST


def test_that_a_run_that_ended_needs_no_engine(run):
    write(run, STORY)
    assert snapshot_of(run).state is RunState.STOPPED


def test_that_a_run_without_a_word_is_starting_and_after_a_while_lost(run):
    assert snapshot_of(run).state is RunState.STARTING
    os.utime(run.recipe_path, (0, 0))
    lost = snapshot_of(run)
    assert lost.state is RunState.LOST
    assert lost.failure is not None
    assert "Nothing was saved" in lost.failure.what


def test_that_a_deleted_run_is_lost(run):
    snapshot = empty_snapshot(run)
    run.recipe_path.unlink()
    assert with_liveness(snapshot).state is RunState.LOST


def test_that_what_is_left_is_said(run):
    empty = empty_snapshot(run)
    assert saved_words(empty) == "Nothing was saved yet."
    assert saved_words(fold_all(empty, STORY[:12])) == "Saved up to step 2."
    assert saved_words(fold_all(empty, STORY)) == "The adapter is saved."


def test_that_runs_are_sorted_by_their_beginning(run):
    early, late, never = (
        replace(empty_snapshot(run), name=name, started_at=at)
        for name, at in [("early", 1.0), ("late", 2.0), ("never", None)]
    )
    names = [snapshot.name for snapshot in newest_first([never, early, late])]
    assert names == ["late", "early", "never"]


def test_that_going_on_forgets_which_step_was_the_best(run):
    end = RunFinished(adapter="adapter", steps=2, stopped=True, saved_step=1, waited=1)
    told = fold_all(empty_snapshot(run), [*STORY[:-1], end])
    assert (told.saved_step, told.waited) == (1, 1)
    on = fold(told, RunResumed(step=2))
    assert (on.saved_step, on.waited) == (0, 0)


def test_that_the_ranks_of_an_adapter_are_known_until_the_run_goes_on(run):
    spread = RanksSpread(step=2, ranks={"q_proj": 4, "v_proj": 8})
    told = fold_all(empty_snapshot(run), [*STORY[:-1], spread, STORY[-1]])
    assert told.ranks == {"q_proj": 4, "v_proj": 8}
    assert fold(told, RunResumed(step=2)).ranks == {}
