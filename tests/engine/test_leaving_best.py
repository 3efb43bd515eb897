"""A run that ends when it measures no better, and leaves what measured best.

Losses are set by the step, so that each course of a run can be had; everything else is
the engine's own.
"""

import errno
import shutil

import pytest
from safetensors.torch import load_file

from studio.cli.run_show import document
from studio.domain import waypoints
from studio.domain.errors import ExitCode
from studio.domain.run import RunState
from studio.engine import training_run
from studio.engine.leaving_best import losses_told
from studio.engine.training_run import TrainingRun
from studio.engine.training_state import read_weights
from studio.protocol.commands import Pause, Stop
from studio.protocol.events import (
    CheckpointRemoved,
    CheckpointSaved,
    EvalFinished,
    RunFinished,
    RunPaused,
    RunResumed,
    StepFinished,
    Warned,
)
from studio.services.run_files import adapter_sha256, model_sha256
from studio.services.run_journal import saved_words, snapshot_of
from studio.storage.data_digest import sha256_of
from tests.engine.conftest import PowerCutError
from tests.engine.helpers import of_kind, train
from tests.engine.test_resume import make_run

# Measured every two steps: the best is that of step 4, and the third that isn't better
# is that of step 10.
CURVE = {0: 3.0, 2: 2.5, 4: 2.0, 6: 2.2, 8: 2.1, 10: 2.3, 12: 1.0, 14: 0.5}
PATIENT = {"train__eval_steps": 2, "train__patience": 3, "train__save_steps": 0}
BEST, END = 4, 10


def tell(patch, losses, before, behind):
    """Let the held-out loss be what a table says of the step; and do more there."""
    evaluate, measure = TrainingRun.evaluate, training_run.held_out_loss

    def evaluated(self, step):
        def measured(*given):
            measure(*given)
            behind.pop(step, lambda _: None)(self)
            return losses[step]

        before.pop(step, lambda _: None)(self)
        patch.setattr(training_run, "held_out_loss", measured)
        evaluate(self, step)

    patch.setattr(TrainingRun, "evaluate", evaluated)


class Told:
    """Losses by step, and what happens once before and behind measuring them."""

    def __init__(self, patch):
        self.losses, self.before, self.behind = dict(CURVE), {}, {}
        tell(patch, self.losses, self.before, self.behind)


@pytest.fixture(autouse=True)
def told(monkeypatch):
    return Told(monkeypatch)


@pytest.fixture(scope="module")
def straight(tmp_path_factory, tiny_model):
    """A patient run that nothing happened to."""
    run = make_run(tmp_path_factory.mktemp("straight"), tiny_model, **PATIENT)
    with pytest.MonkeyPatch.context() as patch:
        Told(patch)
        code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    return run, events


@pytest.fixture
def cut():
    """End the next run as if the machine had gone, at a place that it passes."""

    def arrange(place, number=0, times=1):
        left = [times]

        def watcher(name, count, subject):
            del subject
            if name == place and number in (0, count):
                left[0] -= 1
                if left[0] == 0:
                    waypoints.watch(None)
                    raise PowerCutError

        waypoints.watch(watcher)

    yield arrange
    waypoints.watch(None)


def weights_of(folder):
    return (folder / "adapter_model.safetensors").read_bytes()


def checkpoint(run, step):
    return run.checkpoints_path / f"step-{step}"


def steps_of(events, kind):
    return [event.step for event in of_kind(events, kind)]


def ended(events):
    assert isinstance(events[-1], RunFinished), events[-1]
    end = events[-1]
    return end.steps, end.saved_step, end.waited, end.stopped


@pytest.fixture
def patient(tmp_path, tiny_model):
    return make_run(tmp_path, tiny_model, **PATIENT)


def test_that_a_run_ends_when_it_measures_no_better_and_leaves_the_best(straight):
    run, events = straight
    assert steps_of(events, EvalFinished) == [0, 2, 4, 6, 8, 10]
    assert steps_of(events, StepFinished)[-1] == END
    assert ended(events) == (END, BEST, 3, False)
    assert weights_of(run.adapter_path) == weights_of(checkpoint(run, BEST))


def test_that_its_end_is_told_and_its_digest_is_that_of_the_best(straight):
    run, _ = straight
    snapshot = snapshot_of(run)
    assert snapshot.state is RunState.FINISHED
    assert (snapshot.saved_step, snapshot.waited) == (BEST, 3)
    assert snapshot.held_out_before_and_after() == (3.0, 2.0)
    assert saved_words(snapshot) == (
        "The adapter of step 4, which measured best, is saved."
    )
    final = document(run, snapshot)["final"]
    assert (final["steps"], final["of_step"], final["held_out_loss"]) == (10, 4, 2.0)
    of_best = sha256_of(checkpoint(run, BEST) / "adapter_model.safetensors")
    assert final["adapter_sha256"] == adapter_sha256(run) == of_best


def test_that_the_card_says_of_which_step_the_weights_are(straight):
    run, _ = straight
    card = (run.adapter_path / "README.md").read_text()
    assert "in 4 steps on" in card
    assert "Of the 10 steps of its run, this one measured best." in card
    assert "3.0000 nats a token before, 2.0000 after" in card


def test_that_a_run_that_is_not_patient_leaves_its_last_step(tmp_path, tiny_model):
    run = make_run(tmp_path, tiny_model, train__eval_steps=2, train__save_steps=7)
    _, events = train(run)
    assert ended(events) == (14, 0, 0, False)
    assert steps_of(events, CheckpointSaved) == [7, 14]
    assert weights_of(run.adapter_path) == weights_of(checkpoint(run, 14))
    card = (run.adapter_path / "README.md").read_text()
    assert "in 14 steps on" in card
    assert "measured best" not in card


@pytest.mark.parametrize(("last", "saved"), [(0.5, 0), (9.0, 12)])
def test_that_the_best_is_left_of_a_run_that_goes_to_its_end(
    last, saved, tmp_path, tiny_model, told
):
    told.losses[14] = last
    run = make_run(tmp_path, tiny_model, train__eval_steps=2, train__keep_best=True)
    _, events = train(run)
    assert ended(events) == (14, saved, 0, False)
    assert steps_of(events, EvalFinished)[-1] == 14
    if saved:
        assert weights_of(run.adapter_path) == weights_of(checkpoint(run, saved))
    card = (run.adapter_path / "README.md").read_text()
    assert f"{min(1.0, last):.4f} after" in card


def test_that_a_base_that_measures_best_of_all_is_no_step(tmp_path, tiny_model, told):
    told.losses[0] = 0.1
    run = make_run(tmp_path, tiny_model, **PATIENT)
    assert ended(train(run)[1]) == (END, BEST, 3, False)


def test_that_an_equal_loss_is_no_better_one(tmp_path, tiny_model, told):
    told.losses.update({6: 2.0, 8: 2.0, 10: 2.0})
    run = make_run(tmp_path, tiny_model, **PATIENT)
    assert ended(train(run)[1]) == (END, BEST, 3, False)


def test_that_patience_that_runs_out_at_the_last_step_did_not_end_the_run(
    tmp_path, tiny_model
):
    run = make_run(tmp_path, tiny_model, **PATIENT, train__max_steps=END)
    assert ended(train(run)[1]) == (END, BEST, 0, False)


def test_that_rotation_never_removes_the_best(tmp_path, tiny_model):
    options = {**PATIENT, "train__save_steps": 1, "train__keep_checkpoints": 2}
    run = make_run(tmp_path, tiny_model, **options)
    _, events = train(run)
    assert BEST not in steps_of(events, CheckpointRemoved)
    left = {int(each.name[5:]) for each in run.checkpoints_path.iterdir()}
    assert left == {BEST, 9, 10}


@pytest.mark.parametrize(
    ("saves", "places"),
    [
        (0, [("step.begun", 6)]),
        (3, [("step.done", 6)]),
        (2, [("evaluate.begun", BEST)]),
        (3, [("evaluate.begun", END)]),
        (2, [("step.begun", 5), ("resume.found",), ("evaluate.begun", 8)]),
    ],
)
def test_that_going_on_ends_where_it_would_have_ended(
    saves, places, straight, tmp_path, tiny_model, cut
):
    run = make_run(tmp_path, tiny_model, **{**PATIENT, "train__save_steps": saves})
    for times, place in enumerate(places):
        cut(*place)
        assert train(run, resume=times > 0)[0] is ExitCode.FAILED
    code, events = train(run, resume=True)
    assert code is ExitCode.OK, events[-1]
    assert ended(events) == (END, BEST, 3, False)
    assert weights_of(run.adapter_path) == weights_of(straight[0].adapter_path)
    assert snapshot_of(run).held_out == snapshot_of(straight[0]).held_out


def test_that_a_measurement_that_was_due_behind_a_checkpoint_is_made_up_for(
    tmp_path, tiny_model, cut
):
    run = make_run(tmp_path, tiny_model, **{**PATIENT, "train__save_steps": BEST})
    cut("evaluate.begun", BEST)  # saved, and not measured yet
    train(run)
    code, events = train(run, resume=True)
    assert code is ExitCode.OK
    assert steps_of(events, RunResumed) == [BEST]
    assert steps_of(events, EvalFinished) == [4, 6, 8, 10]


@pytest.mark.parametrize("place", ["save.begun", "save.renamed"])
def test_that_a_run_cut_between_its_last_measurement_and_its_end_trains_no_further(
    place, tmp_path, tiny_model, cut, told
):
    options = {**PATIENT, "train__save_steps": END}
    run = make_run(tmp_path, tiny_model, **options)
    told.behind[END] = lambda _: cut(place)
    assert train(run)[0] is ExitCode.FAILED
    assert steps_of(run.events(), EvalFinished)[-1] == END
    code, events = train(run, resume=True)
    assert code is ExitCode.OK
    assert steps_of(events, RunResumed) == [END]
    assert not of_kind(events, StepFinished)
    assert not of_kind(events, EvalFinished)
    assert ended(events) == (END, BEST, 3, False)
    assert weights_of(run.adapter_path) == weights_of(checkpoint(run, BEST))


@pytest.mark.parametrize("order", [Pause(), Stop(), Stop(save=False)])
def test_that_an_order_behind_the_last_measurement_comes_too_late(order, patient, told):
    told.behind[END] = lambda run: run.session.orders.take(order)
    assert ended(train(patient)[1]) == (END, BEST, 3, False)
    assert weights_of(patient.adapter_path) == weights_of(checkpoint(patient, BEST))


def test_that_a_run_paused_before_its_last_measurement_makes_it_and_ends(
    patient, told, straight
):
    told.before[END] = lambda run: run.session.orders.take(Pause())
    _, events = train(patient)
    assert isinstance(events[-1], RunPaused)
    assert events[-1].step == END
    _, events = train(patient, resume=True)
    assert steps_of(events, EvalFinished) == [END]
    assert not of_kind(events, StepFinished)
    assert ended(events) == (END, BEST, 3, False)
    assert weights_of(patient.adapter_path) == weights_of(straight[0].adapter_path)


def test_that_a_pause_while_a_run_makes_up_for_a_measurement_loses_no_step(
    patient, told
):
    told.before[END] = lambda run: run.session.orders.take(Pause())
    train(patient)
    told.before[END] = lambda run: run.session.orders.take(Pause())
    _, events = train(patient, resume=True)
    assert isinstance(events[-1], RunPaused)
    assert events[-1].step == END
    _, events = train(patient, resume=True)
    assert steps_of(events, RunResumed) == [END]
    assert ended(events) == (END, BEST, 3, False)


def test_that_a_run_stopped_by_hand_leaves_the_best_and_can_be_gone_on_with(
    patient, told, straight
):
    told.behind[8] = lambda run: run.session.orders.take(Stop())
    code, events = train(patient)
    assert ended(events) == (8, BEST, 0, True)
    assert weights_of(patient.adapter_path) == weights_of(straight[0].adapter_path)
    code, events = train(patient, resume=True)
    assert code is ExitCode.OK
    assert steps_of(events, RunResumed) == [8]
    assert ended(events) == (END, BEST, 3, False)
    assert snapshot_of(patient).waited == 3


@pytest.mark.parametrize(
    ("lost", "saved", "words"),
    [
        ({BEST}, 0, "step 10 is saved in its place"),
        ({BEST, 8, END}, 6, "step 6 is saved in its place"),
    ],
)
def test_that_a_best_that_is_lost_is_told_and_the_next_is_left(
    lost, saved, words, tmp_path, tiny_model, told
):
    """Of the others, step 8 measured best, then 6, then the last."""
    run = make_run(tmp_path, tiny_model, **{**PATIENT, "train__save_steps": 2})
    if not saved:
        lost = {BEST, 8, 6, 2}

    def lose(_):
        for step in lost:
            shutil.rmtree(checkpoint(run, step), ignore_errors=True)

    told.behind[END] = lose
    _, events = train(run)
    assert ended(events) == (END, saved, 3, False)
    said = [event.finding.what for event in of_kind(events, Warned)]
    assert [each for each in said if "of step 4, the best, has no manifest" in each]
    assert words in said[-1]


def test_that_a_disk_that_refuses_the_best_spoils_no_checkpoint(
    patient, told, straight
):
    def refuse(name, _count, _subject):
        if name == "save.begun":
            waypoints.watch(None)
            raise OSError(errno.ENOSPC, "No space left on device")

    told.behind[END] = lambda _: waypoints.watch(refuse)
    _, events = train(patient)
    assert isinstance(events[-1], RunPaused)
    assert events[-1].step == BEST
    assert not checkpoint(patient, END).exists()
    _, events = train(patient, resume=True)
    assert ended(events) == (END, BEST, 3, False)
    assert weights_of(patient.adapter_path) == weights_of(straight[0].adapter_path)


def test_that_of_a_whole_model_the_best_is_left_too(tmp_path, tiny_model):
    whole = {"train__weights": "all", "model__precision": "fp32"}
    rate = {"train__learning_rate": 1e-3, "lora__dropout": 0.0}
    run = make_run(tmp_path, tiny_model, **PATIENT, **whole, **rate)
    _, events = train(run)
    assert ended(events) == (END, BEST, 3, False)
    kept = read_weights(checkpoint(run, BEST))
    saved = load_file(run.model_path / "model.safetensors")
    assert saved
    assert all(weight.equal(kept[name]) for name, weight in saved.items())
    final = document(run, snapshot_of(run))["final"]
    assert final["of_step"] == BEST
    assert final["model_sha256"] == model_sha256(run)


def test_that_losses_behind_a_step_that_was_gone_back_to_are_void():
    def measured(step, loss):
        return EvalFinished(step=step, loss=loss, rows=1)

    story = [measured(0, 3.0), measured(2, 2.0), measured(4, 1.0), RunResumed(step=2)]
    assert losses_told(story, 9) == {0: 3.0, 2: 2.0}
    assert losses_told([*story, measured(4, 1.5)], 4) == {0: 3.0, 2: 2.0, 4: 1.5}
    assert losses_told([*story, measured(4, 1.5)], 3) == {0: 3.0, 2: 2.0}
