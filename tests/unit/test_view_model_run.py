"""The Run page's words: the time left, the phases, the end, and what happened."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from studio.domain.finding import error, warning
from studio.domain.hardware import GIB
from studio.domain.memory.estimate import Basis, Component, Group, MemoryEstimate
from studio.domain.recipe import Recipe
from studio.domain.run import (
    HeldOutPoint,
    JudgedPoint,
    MemoryPoint,
    Phase,
    RunSnapshot,
    RunState,
    Sample,
    StageProgress,
    StepPoint,
)
from studio.storage.tables.opening import missing
from studio.ui.pages.run.endings import NextDeed
from studio.ui.pages.run.pace import seconds_left
from studio.ui.pages.run.samples import prompts_of
from studio.ui.pages.run.series import Drawn, curves, smoothed_loss
from studio.ui.pages.run.view_model import Rung, RunInputs, RunView, run_view
from studio.ui.tokens import Tone

BEGAN = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()


def point(step: int, seconds: float, loss: float = 2.0) -> StepPoint:
    return StepPoint(step, loss, 1e-4, 0.5, 1000.0, seconds)


def run(steps: int = 0, total: int = 100, pace: float = 2.0) -> RunSnapshot:
    return RunSnapshot(
        name="cheese-1",
        directory=Path("/runs/cheese-1"),
        state=RunState.RUNNING,
        phase=Phase.TRAINING,
        total_steps=total if steps else 0,
        steps=tuple(point(n, pace * n) for n in range(1, steps + 1)),
        started_at=BEGAN,
        training_at=BEGAN,
        seconds=pace * steps,
    )


def estimate(peak_gib: float) -> MemoryEstimate:
    return MemoryEstimate(
        components=(Component("all", Group.WEIGHTS, round(peak_gib * GIB)),),
        phase="backward",
        basis=Basis.FORMULA,
        expected_error=0.15,
    )


def memory(step: int, own_gib: float) -> MemoryPoint:
    return MemoryPoint(step, round(own_gib * GIB), None, None, None)


def view(snapshot: RunSnapshot, **more: object) -> RunView:
    return run_view(RunInputs(snapshot=snapshot, now=BEGAN + 100, **more))


def test_that_no_time_is_told_before_twenty_steps() -> None:
    course = view(run(12)).course
    assert course is not None
    assert course.answer == "Measuring speed, 12 of 20 steps"
    assert course.detail == "step 12 of 100"
    assert course.gone == "1 min 40 s gone"


def test_that_a_steady_pace_gives_a_narrow_range() -> None:
    course = view(run(40)).course
    assert course is not None
    assert course.answer == "2 min left"
    assert course.share == 0.4
    assert "ends about" in course.gone


def test_that_an_uneven_pace_gives_a_wide_range() -> None:
    even = run(21)
    slow = tuple(point(21 + n, 42 + 10.0 * n) for n in range(1, 21))
    uneven = replace(even, steps=even.steps + slow)
    left = seconds_left(uneven)
    assert left is not None
    low, high = left
    assert low == pytest.approx(2.0 * 59)
    assert high == pytest.approx(10.0 * 59)


def test_that_the_first_step_does_not_spoil_the_pace() -> None:
    steps = tuple(point(n, 30 + n) for n in range(1, 31))
    left = seconds_left(replace(run(1), steps=steps))
    assert left == pytest.approx((70.0, 70.0))


def test_that_a_run_of_few_steps_measures_no_longer_than_it_lasts() -> None:
    course = view(run(3, total=8)).course
    assert course is not None
    assert course.answer == "Measuring speed, 3 of 8 steps"


def test_that_the_pass_is_told_where_passes_decide() -> None:
    recipe = Recipe().with_value("train.epochs", 3.0)
    course = view(run(40), recipe=recipe).course
    assert course is not None
    assert course.detail == "step 40 of 100, pass 2 of 3"
    steps_decide = recipe.with_value("train.max_steps", 100)
    course = view(run(40), recipe=steps_decide).course
    assert course is not None
    assert course.detail == "step 40 of 100"


def test_that_the_phases_before_the_first_step_are_told_in_words() -> None:
    loading = replace(
        run(),
        phase=Phase.LOADING_MODEL,
        progress=StageProgress("Weights", 2.1 * GIB, 5.2 * GIB, "B", None),
    )
    course = view(loading).course
    assert course is not None
    assert course.answer == "Loading the weights"
    assert course.detail == "Weights: 2.10 of 5.20 GiB"
    assert course.share is None


def test_that_counts_are_told_without_decimals() -> None:
    reading = replace(
        run(),
        phase=Phase.PREPARING_DATA,
        progress=StageProgress("Rows", 1200, 1841, "rows", None),
    )
    course = view(reading).course
    assert course is not None
    assert course.detail == "Rows: 1,200 of 1,841 rows"


def test_that_the_end_tells_both_held_out_losses() -> None:
    done = replace(
        run(40, total=40),
        state=RunState.FINISHED,
        adapter="adapter",
        held_out=(HeldOutPoint(0, 2.5), HeldOutPoint(40, 1.25)),
    )
    ending = view(done).ending
    assert ending is not None
    assert ending.headline == "Finished 40 steps in 1 min 20 s"
    assert ending.text == (
        "Held-out loss **2.500** before, **1.250** after: 50 % lower. "
        "The adapter is saved."
    )
    assert ending.deeds == (NextDeed.RESULT,)
    assert view(done).course is None


def patient(**changes):
    """A run that measured best at step 20 and waited for better until step 40."""
    losses = (HeldOutPoint(0, 2.5), HeldOutPoint(20, 1.25), HeldOutPoint(40, 1.5))
    found = replace(
        run(40), state=RunState.FINISHED, adapter="adapter", held_out=losses
    )
    return replace(found, **{"saved_step": 20, "waited": 3, **changes})


def test_that_a_run_that_measured_no_better_says_why_it_ended_and_what_is_left():
    shown = view(patient())
    assert shown.ending is not None
    assert shown.ending.headline == (
        "Stopped at step 40: no better held-out loss in 3 measurements"
    )
    assert shown.ending.text == (
        "Held-out loss **2.500** before, **1.250** after: 50 % lower. "
        "The adapter of step 20, which measured best, is saved."
    )
    assert shown.ending.deeds == (NextDeed.RESULT,)
    figures = {tile.caption: tile.value for tile in shown.tiles}
    assert figures["Held-out loss"] == "1.250"
    assert shown.happenings[0].words == "Adapter of step 20, the best, saved"


def test_that_the_end_of_a_run_on_pairs_tells_how_often_the_better_is_preferred():
    judged = (JudgedPoint(20, 0.9), JudgedPoint(40, 0.8))
    ending = view(patient(judged=judged)).ending
    assert ending is not None
    # The step that was saved counts.
    assert "preferred in **90 %** of the pairs held back." in ending.text


def test_that_the_end_of_a_run_tells_ranks_that_differ():
    ending = view(patient(ranks={"a": 4, "b": 24, "c": 20})).ending
    assert ending is not None
    assert "Ranks from 4 to 24 over 3 layers, 16 on average." in ending.text


def test_that_a_run_that_leaves_its_best_did_all_its_steps():
    ending = view(patient(waited=0)).ending
    assert ending is not None
    assert ending.headline == "Finished 40 steps in 1 min 20 s"
    assert "of step 20, which measured best" in ending.text


def test_that_answers_behind_the_best_are_not_those_of_the_result():
    samples = tuple(Sample(step, "Why?", f"At {step}.") for step in (0, 20, 40))
    (asked,) = view(patient(samples=samples)).prompts
    assert asked.now is not None
    assert asked.now.text == "At 20."
    (asked,) = view(patient(samples=samples, saved_step=0)).prompts
    assert asked.now is not None
    assert asked.now.text == "At 40."


def test_that_a_loss_that_rose_is_called_higher() -> None:
    worse = replace(
        run(40, total=40),
        state=RunState.FINISHED,
        held_out=(HeldOutPoint(0, 1.0), HeldOutPoint(40, 1.5)),
    )
    ending = view(worse).ending
    assert ending is not None
    assert "50 % higher" in ending.text


def test_that_an_end_is_told_in_the_windows_words() -> None:
    gone = missing(Path("hub:me/cheese")).finding
    ending = view(replace(run(3), state=RunState.FAILED, failure=gone)).ending
    assert ending is not None
    assert "Fetch it on the Data page" in ending.text
    assert "snugtune" not in ending.text


def test_that_a_failure_says_what_was_kept_and_what_to_do() -> None:
    failed = replace(
        run(40),
        state=RunState.FAILED,
        failure=error("out-of-memory", "Out of memory.", fix="Lower the length."),
        checkpoints=((20, "checkpoints/step-20"),),
    )
    ending = view(failed).ending
    assert ending is not None
    assert ending.headline == "Out of memory."
    assert ending.text == "Saved up to step 20. Lower the length."
    assert ending.tone is Tone.DANGER
    assert NextDeed.FOLDER in ending.deeds


def test_that_a_lost_run_does_not_say_twice_what_was_saved() -> None:
    lost = replace(
        run(40),
        state=RunState.LOST,
        failure=error(
            "run.lost",
            "The training process ended without a word (signal 9). "
            "Nothing was saved yet.",
            why="Somebody killed it.",
        ),
    )
    ending = view(lost).ending
    assert ending is not None
    assert ending.text == "Somebody killed it."
    assert ending.tone is Tone.WARNING


LESS = "takes 4 rows at a time instead of 8, twice as often; it learns the same"


def killed() -> RunSnapshot:
    words = "The training process ended without a word (signal 9). Saved up to step 20."
    return replace(
        run(40),
        state=RunState.LOST,
        failure=error("engine.ended", words, why="Somebody killed it."),
        checkpoints=((20, "checkpoints/step-20"),),
    )


def test_that_a_killed_run_can_go_on_in_less_memory_and_says_how() -> None:
    ending = view(killed(), less=LESS).ending
    assert ending is not None
    assert ending.deeds[0] is NextDeed.RESUME
    assert NextDeed.RESUME_LESS in ending.deeds
    assert ending.text == (
        "Somebody killed it. If memory ran out, “Go on in less memory” takes 4 rows at "
        "a time instead of 8, twice as often; it learns the same."
    )
    assert ending.less == f"T{LESS[1:]}."


def test_that_nothing_is_said_of_less_memory_where_it_cannot_help() -> None:
    ending = view(killed()).ending
    assert ending is not None
    assert NextDeed.RESUME_LESS not in ending.deeds
    assert (ending.text, ending.less) == ("Somebody killed it.", "")


def test_that_a_stopped_run_with_an_adapter_leads_to_its_result() -> None:
    stopped = replace(run(14), state=RunState.STOPPED, adapter="adapter")
    ending = view(stopped).ending
    assert ending is not None
    assert ending.headline == "Stopped after step 14"
    assert ending.deeds == (NextDeed.RESULT,)


@pytest.mark.parametrize(
    ("rung", "end_now", "kill", "words"),
    [
        (Rung.NONE, True, True, "Stopping after this step"),
        (Rung.STOP, True, True, "Stopping after this step"),
        (Rung.TERMINATE, False, True, "Ending the process"),
        (Rung.KILL, False, False, "Ending the process by force"),
    ],
)
def test_that_each_rung_of_stopping_offers_only_those_above(
    rung: Rung, end_now: bool, kill: bool, words: str
) -> None:
    stopping = view(
        replace(run(30), state=RunState.STOPPING),
        is_ours=True,
        rung=rung,
    )
    assert (stopping.can_end_now, stopping.can_kill) == (end_now, kill)
    assert not stopping.can_stop
    assert not stopping.can_save
    assert stopping.course is not None
    assert stopping.course.answer == words
    assert "ends" not in stopping.course.gone


def test_that_nothing_can_be_ordered_of_a_run_that_is_over() -> None:
    over = view(replace(run(30), state=RunState.STOPPED), is_ours=True, rung=Rung.STOP)
    assert not any((over.can_stop, over.can_save, over.can_end_now, over.can_kill))


def test_that_a_run_can_be_saved_paused_and_stopped_from_where_it_is_led() -> None:
    ours = view(run(30), is_ours=True)
    assert (ours.can_save, ours.can_pause, ours.can_stop) == (True, True, True)
    theirs = view(run(30))
    assert (theirs.can_save, theirs.can_pause, theirs.can_stop) == (False, False, False)


def test_that_a_run_that_pauses_says_so() -> None:
    pausing = view(
        replace(run(30), state=RunState.STOPPING), is_ours=True, rung=Rung.PAUSE
    )
    assert pausing.course is not None
    assert pausing.course.answer == "Pausing after this step"
    assert pausing.can_end_now
    assert not pausing.can_pause


@pytest.mark.parametrize(
    ("changes", "deeds"),
    [
        ({"state": RunState.PAUSED}, ("resume", "recipe")),
        (
            {"state": RunState.PAUSED, "checkpoints": (), "steps": ()},
            ("resume", "recipe"),
        ),
        ({"state": RunState.STOPPED, "adapter": "adapter"}, ("result", "resume")),
        ({"state": RunState.STOPPED, "checkpoints": ()}, ("recipe",)),
        ({"state": RunState.LOST}, ("resume", "recipe", "folder")),
        ({"state": RunState.LOST, "checkpoints": ()}, ("recipe", "folder")),
        (
            {"state": RunState.FAILED, "failure": error("run.changed", "It changed.")},
            ("resume-changed", "recipe", "folder"),
        ),
        (
            {"state": RunState.FAILED, "failure": error("card.index", "Refused.")},
            ("recipe", "resume", "folder"),
        ),
        ({"state": RunState.FINISHED}, ("result",)),
    ],
)
def test_that_a_run_can_be_gone_on_with_where_something_is_left(changes, deeds) -> None:
    over = replace(run(30), checkpoints=((20, "checkpoints/step-20"),))
    ending = view(replace(over, **changes)).ending
    assert ending is not None
    assert ending.deeds == deeds


def test_that_what_changed_is_gone_on_with_by_the_button_that_the_words_name() -> None:
    fix = "Put back what changed, or go on all the same."
    failure = error("run.changed", "The data changed.", fix=fix)
    over = replace(run(30), checkpoints=((20, "checkpoints/step-20"),))
    ending = view(replace(over, state=RunState.FAILED, failure=failure)).ending
    assert ending is not None
    assert ending.deeds[0].words.lower() in ending.text
    assert "--" not in ending.text


def test_that_a_run_that_broke_down_names_the_buttons_that_change_its_recipe() -> None:
    failure = error("non-finite", "No number.", fix="Lower the rate.")
    over = replace(run(30), checkpoints=((20, "checkpoints/step-20"),))
    paused = view(replace(over, state=RunState.PAUSED, failure=failure)).ending
    assert paused is not None
    named = {deed for deed in NextDeed if f"“{deed.words}”" in paused.text}
    assert named == {NextDeed.FOLDER, NextDeed.RESUME} <= set(paused.deeds)
    assert "recipe.toml" in paused.text
    failed = view(replace(run(1), state=RunState.FAILED, failure=failure)).ending
    assert failed is not None
    assert "recipe.toml" not in failed.text


def test_that_only_new_points_are_handed_to_the_charts() -> None:
    snapshot = replace(
        run(10),
        held_out=(HeldOutPoint(0, 2.0), HeldOutPoint(10, 1.0)),
        memory=(memory(1, 0.5), memory(2, 0.6)),
    )
    drawn = Drawn(steps=8, held_out=1, memory=2)
    fresh = curves(snapshot, None, None, drawn)
    assert [step for step, _ in fresh.loss] == [9.0, 10.0]
    assert fresh.held_out == ((10.0, 1.0),)
    assert fresh.memory == ()
    assert curves(snapshot, None, None, Drawn.all_of(snapshot)).loss == ()


def test_that_a_step_without_a_gradient_norm_draws_none() -> None:
    silent = replace(point(2, 4.0), grad_norm=None)
    snapshot = replace(run(1), steps=(point(1, 2.0), silent))
    assert curves(snapshot, None, None, Drawn()).grad_norm == ((1.0, 0.5),)


def test_that_passes_begin_at_equal_parts_of_the_run() -> None:
    recipe = Recipe().with_value("train.epochs", 2.5)
    assert curves(run(1), recipe, None, Drawn()).passes == (40.0, 80.0)


def test_that_smoothing_starts_at_the_first_value() -> None:
    assert smoothed_loss(run(1)) == pytest.approx(2.0)
    assert smoothed_loss(run()) is None


def test_that_the_measured_peak_is_compared_with_the_prediction() -> None:
    snapshot = replace(run(2), memory=(memory(1, 0.7), memory(2, 0.9)))
    mark = view(snapshot, estimate=estimate(1.0)).memory_mark
    assert mark is not None
    assert mark.words == "10.0 % under the prediction"
    assert mark.tone is Tone.SUCCESS
    over = view(snapshot, estimate=estimate(0.5)).memory_mark
    assert over is not None
    assert over.words == "80.0 % over the prediction"
    assert over.tone is Tone.WARNING


def test_that_nothing_is_compared_before_the_first_step() -> None:
    snapshot = replace(run(), memory=(memory(0, 0.7),))
    assert view(snapshot, estimate=estimate(1.0)).memory_mark is None


def test_that_other_programs_are_told_apart_only_where_the_card_tells() -> None:
    on_card = MemoryPoint(1, GIB, GIB, 2 * GIB, 5 * GIB)
    drawn = curves(replace(run(1), memory=(on_card,)), None, None, Drawn())
    assert drawn.memory[0].own == 2 * GIB
    assert drawn.memory[0].other == 3 * GIB
    on_processor = curves(replace(run(1), memory=(memory(1, 1),)), None, None, Drawn())
    assert on_processor.memory[0].other is None


def test_that_answers_are_gathered_by_their_prompt() -> None:
    snapshot = replace(
        run(40),
        samples=(
            Sample(0, "Brie?", "A city."),
            Sample(0, "Feta?", "A dance."),
            Sample(40, "Brie?", "Aye, Brie."),
        ),
    )
    brie, feta = prompts_of(snapshot)
    assert brie.before is not None
    assert brie.now is not None
    assert (brie.before.text, brie.now.text) == ("A city.", "Aye, Brie.")
    assert brie.now.when == "after step 40"
    assert feta.now is None


def test_that_happenings_are_told_newest_first() -> None:
    snapshot = replace(
        run(40),
        state=RunState.FINISHED,
        held_out=(HeldOutPoint(0, 2.0), HeldOutPoint(20, 1.5), HeldOutPoint(40, 1.6)),
        checkpoints=((20, "checkpoints/step-20"),),
        findings=(warning("data.row", "Line 3 is empty."),),
    )
    words = [happening.words for happening in view(snapshot).happenings]
    assert words[0] == "Adapter saved"
    assert words[1] == "Line 3 is empty."
    assert words[2] == "Held-out loss 1.600"
    assert words[-1] == "Held-out loss 2.000"
    assert "Held-out loss 1.500, best so far" in words


def test_that_figures_that_were_not_measured_stay_empty() -> None:
    tiles = {tile.caption: tile.value for tile in view(run()).tiles}
    assert set(tiles.values()) == {""}
