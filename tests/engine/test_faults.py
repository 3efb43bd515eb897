"""Faults on demand: absent unless asked for, and what each of them leaves behind."""

import signal
import subprocess
import sys

import pytest
import torch

from studio.domain import waypoints
from studio.domain.errors import ExitCode, StudioError
from studio.domain.run import RunState
from studio.engine import faults, training_run, training_state
from studio.protocol.events import (
    CheckpointSaved,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    StepFinished,
    Warned,
)
from studio.services.leading import goes_on_by_itself, options_to_lead_on
from studio.services.resuming import refuse_resuming
from studio.services.run_journal import snapshot_of
from studio.storage.checkpoint_folders import newest_whole
from tests.engine.helpers import engine, of_kind, train
from tests.engine.test_resume import make_run, weights


@pytest.fixture
def happens():
    """Let faults happen in this process."""
    yield faults.arm
    faults.arm("")


@pytest.fixture(scope="module")
def straight(tmp_path_factory, tiny_model):
    """A run that nothing happened to."""
    folder = tmp_path_factory.mktemp("straight")
    run = make_run(folder, tiny_model)
    assert train(run)[0] is ExitCode.OK
    return run


def kept_steps(run):
    return sorted(int(each.name[5:]) for each in run.checkpoints_path.glob("step-*"))


def ends_like(run, straight):
    code, events = train(run, resume=True)
    assert code is ExitCode.OK, events[-1]
    assert weights(run) == weights(straight)
    return events


def test_that_no_engine_loads_faults_unless_asked_for():
    look = (
        "import sys; from studio.engine.__main__ import main; main(['doctor']);"
        "from studio.domain.waypoints import is_watched;"
        "print('studio.engine.faults' in sys.modules, is_watched(), file=sys.stderr)"
    )
    command = [sys.executable, "-c", look]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.splitlines()[-1] == "False False"


def test_that_an_engine_arms_what_its_environment_asks_for(tmp_path, tiny_model):
    run = make_run(tmp_path, tiny_model)
    with engine("train", run.path, SNUGTUNE_FAULTS="engine:segv@5") as process:
        code, _ = process.end()
    assert code == -signal.SIGSEGV
    assert snapshot_of(run).state is RunState.LOST
    # The journal is written first; what was still to be sent goes with the process.
    assert of_kind(list(run.events()), StepFinished)[-1].step == 4
    assert kept_steps(run) == [3]


@pytest.mark.parametrize("spelt", ["save", "save:kill", "save:melt@1", "save:kill@x"])
def test_that_a_fault_that_is_spelt_wrongly_is_refused(spelt):
    with pytest.raises(StudioError, match="is no fault"):
        faults.faults_in(spelt)


def test_that_a_fault_happens_at_its_place_and_time_and_once(happens):
    happens("save:full@2,step:lost@7")
    waypoints.passing("save.begun")
    waypoints.passing("saved")
    with pytest.raises(OSError, match="No space left"):
        waypoints.passing("save.weights")
    waypoints.passing("save.weights")
    waypoints.passing("step.begun", 6)
    with pytest.raises(torch.AcceleratorError):
        waypoints.passing("step.begun", 7)
    waypoints.passing("step.begun", 7)


def test_that_a_noted_fault_does_not_happen_again(happens, tmp_path):
    noted = tmp_path / "noted"
    for raises in (True, False):
        happens("save:full@1", noted)
        if raises:
            with pytest.raises(OSError, match="No space left"):
                waypoints.passing("save.begun")
        else:
            waypoints.passing("save.begun")


def test_that_a_gradient_that_is_no_number_never_reaches_the_weights(
    happens, tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    happens("step:nan@8")
    code, events = train(run)
    assert code is ExitCode.NON_FINITE
    paused = events[-1]
    assert isinstance(paused, RunPaused)
    assert (paused.step, paused.kind) == (7, "non-finite")
    assert "step 8" in paused.message
    assert paused.advice.endswith("in the recipe of this one and go on all the same.")
    assert "--" not in paused.advice
    assert of_kind(events, StepFinished)[-1].step == 7
    assert snapshot_of(run).state is RunState.PAUSED
    assert kept_steps(run)[-1] == 7
    happens("")
    events = ends_like(run, straight)
    assert of_kind(events, RunResumed)[0].step == 7


def test_that_a_weight_that_is_no_number_is_never_kept(
    tmp_path, tiny_model, monkeypatch
):
    run = make_run(tmp_path, tiny_model)
    keep = training_state.StateKeeper.on_step_end

    def spoil(self, args, state, *given, **more):
        keep(self, args, state, *given, **more)
        if state.global_step == 6:
            weights = training_state.trained_weights(self._trainer.model)
            next(iter(weights.values())).data.view(-1)[0] = torch.inf

    monkeypatch.setattr(training_state.StateKeeper, "on_step_end", spoil)
    code, events = train(run)
    assert code is ExitCode.NON_FINITE
    assert (events[-1].step, events[-1].kind) == (3, "non-finite")
    assert "a weight is no number" in events[-1].message
    assert kept_steps(run) == [3]


def test_that_a_scaler_looks_after_its_own_gradients():
    loss, none = torch.tensor(1.0), torch.tensor(torch.nan)
    training_state.refuse_broken(3, loss, None)
    for given in ((loss, none), (loss, float("inf")), (none, None)):
        with pytest.raises(StudioError, match="step 3"):
            training_state.refuse_broken(3, *given)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("save.begun:full@2", "disk.full"),
        ("save.state:full@2", "disk.full"),
        ("save.synced:read-only@2", "disk.read-only"),
        ("save.weights:denied@2", "disk.read-only"),
    ],
)
def test_that_a_disk_that_refuses_costs_neither_checkpoint_nor_run(
    fault, kind, happens, tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    place, _, rest = fault.partition(":")
    deed = rest.partition("@")[0]
    # The second save, and the attempt to keep the step that follows it.
    happens(f"{fault},{place}:{deed}@3")
    code, events = train(run)
    assert code is ExitCode.DISK
    assert isinstance(events[-1], RunPaused)
    assert (events[-1].step, events[-1].kind) == (3, kind)
    assert [path.name for path in run.checkpoints_path.iterdir()] == ["step-3"]
    assert snapshot_of(run).failure.code == kind
    happens("")
    refuse_resuming(snapshot_of(run))
    events = ends_like(run, straight)
    assert of_kind(events, RunResumed)[0].step == 3


def test_that_a_disk_that_refuses_the_first_save_lets_the_run_begin_anew(
    happens, tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    happens("save.begun:full@1,save.begun:full@2")
    _, events = train(run)
    assert events[-1].step == 0
    happens("")
    refuse_resuming(snapshot_of(run))
    ends_like(run, straight)


def test_that_a_run_paused_with_nothing_goes_on_from_what_it_saved_later(
    happens, tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    happens("save.begun:full@1,save.begun:full@2")
    train(run)
    happens("engine:lost@8")
    train(run, resume=True)
    happens("")
    events = ends_like(run, straight)
    assert of_kind(events, RunResumed)[0].step == 6


def test_that_a_journal_that_is_full_pauses_the_run_and_says_so_elsewhere(
    happens, tmp_path, tiny_model, straight, capfd
):
    run = make_run(tmp_path, tiny_model)
    happens("journal:full@40")
    code, events = train(run)
    assert code is ExitCode.DISK
    assert isinstance(events[-1], RunPaused)
    assert "events.jsonl" in capfd.readouterr().err
    found, _ = newest_whole(run.checkpoints_path)
    assert events[-1].step == found.manifest.step
    assert snapshot_of(run).state is not RunState.PAUSED
    happens("")
    ends_like(run, straight)


def test_that_half_a_line_of_the_journal_hides_nothing_behind_it(
    tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    # A quick machine writes 44 lines, a slow one some more of progress.
    with engine("train", run.path, SNUGTUNE_FAULTS="journal:tear@36") as process:
        code, _ = process.end()
    assert code == -signal.SIGKILL
    assert not run.journal_path.read_bytes().endswith(b"\n")
    ends_like(run, straight)
    told = list(run.events())
    assert not any(isinstance(event, Warned) for event in told)
    assert isinstance(told[-1], RunFinished)


def test_that_memory_that_is_refused_keeps_the_step_before(
    happens, tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    happens("step:oom@8")
    code, events = train(run)
    assert code is ExitCode.OUT_OF_MEMORY
    assert (events[-1].step, events[-1].kind) == (7, "out-of-memory")
    assert "3.00 GiB more" in events[-1].message
    happens("")
    ends_like(run, straight)


def test_that_memory_refused_while_weights_change_goes_back_to_a_whole_state(
    happens, tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    happens("step.optimizer:oom@8")
    _, events = train(run)
    assert events[-1].step == 6
    happens("")
    ends_like(run, straight)


@pytest.mark.parametrize("place", ["step.begun", "step.optimizer", "step.done"])
def test_that_a_card_that_is_lost_pauses_at_the_last_checkpoint(
    place, happens, tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    happens(f"{place}:lost@8")
    code, events = train(run)
    assert code is ExitCode.FAILED
    paused = events[-1]
    assert isinstance(paused, RunPaused)
    # Step 7 lay on the card alone.
    assert (paused.step, paused.kind) == (6, "card.lost")
    assert paused.message == "The card stopped answering: CUDA error: unknown error."
    assert "report" not in paused.advice
    assert kept_steps(run) == [3, 6]
    assert snapshot_of(run).state is RunState.PAUSED
    assert snapshot_of(run).failure.code == "card.lost"
    happens("")
    refuse_resuming(snapshot_of(run))
    events = ends_like(run, straight)
    assert of_kind(events, RunResumed)[0].step == 6


def test_that_a_library_that_fails_on_a_card_pauses_at_the_last_checkpoint(
    happens, tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    happens("step.begun:library@8")
    code, events = train(run)
    assert code is ExitCode.FAILED
    assert isinstance(events[-1], RunPaused)
    assert (events[-1].step, events[-1].kind) == (6, "card.crashed")
    assert kept_steps(run) == [3, 6]  # step 7 lay on the card alone
    happens("")
    refuse_resuming(snapshot_of(run))
    ends_like(run, straight)


def test_that_an_index_beyond_a_table_fails_the_run_and_keeps_its_checkpoints(
    happens, tmp_path, tiny_model
):
    run = make_run(tmp_path, tiny_model)
    happens("step.begun:index@8")
    code, events = train(run)
    assert code is ExitCode.FAILED
    assert isinstance(events[-1], RunFailed)
    assert events[-1].kind == "card.index"
    assert "Going on would meet it again." in events[-1].message
    assert kept_steps(run) == [3, 6]
    told = snapshot_of(run)
    assert told.state is RunState.FAILED
    assert not goes_on_by_itself(run, events[-1], 0)
    assert options_to_lead_on(told) is None


def test_that_a_card_that_is_lost_before_the_first_save_lets_the_run_begin_anew(
    happens, tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    happens("step.begun:lost@2")
    _, events = train(run)
    assert (events[-1].step, events[-1].kind) == (0, "card.lost")
    happens("")
    refuse_resuming(snapshot_of(run))
    ends_like(run, straight)


def test_that_a_held_out_loss_that_is_none_keeps_what_was_measured_well(
    happens, tmp_path, tiny_model, monkeypatch
):
    run = make_run(tmp_path, tiny_model, train__eval_steps=5)
    real = training_run.held_out_loss
    said = iter([1.0, float("nan")])
    monkeypatch.setattr(
        training_run, "held_out_loss", lambda *given: next(said, real(*given))
    )
    code, events = train(run)
    assert code is ExitCode.NON_FINITE
    assert (events[-1].step, events[-1].kind) == (3, "non-finite")
    assert [each.step for each in of_kind(events, CheckpointSaved)] == [3]


def test_that_a_card_that_is_lost_to_its_meter_costs_no_run(
    happens, tmp_path, tiny_model, straight
):
    run = make_run(tmp_path, tiny_model)
    happens("nvml:lost@1")
    code, events = train(run)
    assert code is ExitCode.OK
    assert not of_kind(events, RunFailed)
    assert weights(run) == weights(straight)
