"""The worst batch is tried before step 1, and leaves no trace."""

import pytest
import torch

from studio.domain.errors import ExitCode
from studio.domain.run import Phase
from studio.engine import faults, trial
from studio.engine.adapters import trained_bytes
from studio.protocol.events import (
    EvalFinished,
    PhaseChanged,
    RunPaused,
    SampleProduced,
    StepFinished,
)
from studio.storage.disk import disk_refusal
from tests.engine.helpers import of_kind, train
from tests.engine.test_resume import WAYS, make_run, weights

MORE_WAYS = {
    **WAYS,
    "checkpointed": {"train__checkpointing": True, "train__micro_batch": 2},
    "half": {"model__compute_dtype": "bf16"},
}


@pytest.fixture
def tried(monkeypatch):
    """As on a card."""
    monkeypatch.setattr(trial, "is_tried", lambda _: True)


def course(events):
    """What a run tells that depends on numbers alone."""
    return [
        *((e.step, e.loss, e.grad_norm, e.lr) for e in of_kind(events, StepFinished)),
        *((e.step, e.loss) for e in of_kind(events, EvalFinished)),
        *((e.step, e.text) for e in of_kind(events, SampleProduced)),
    ]


@pytest.mark.parametrize("way", MORE_WAYS)
def test_that_a_trial_leaves_no_trace(way, tmp_path, tiny_model, monkeypatch):
    # The fewest steps that a rank can be spread in.
    steps = 10 if MORE_WAYS[way].get("lora__variant") == "adalora" else 5
    options = {"train__max_steps": steps, **MORE_WAYS[way]}
    straight = make_run(tmp_path, tiny_model, **options)
    code, told = train(straight)
    assert code is ExitCode.OK, told[-1]
    monkeypatch.setattr(trial, "is_tried", lambda _: True)
    run = make_run(tmp_path, tiny_model, **options)
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    assert weights(run) == weights(straight)
    assert course(events) == course(told)
    names = [{p.name for p in each.path.iterdir()} for each in (run, straight)]
    assert names[0] == names[1]
    kept = [
        {p.name for p in each.checkpoints_path.iterdir()} for each in (run, straight)
    ]
    assert kept[0] == kept[1] == {f"step-{step}" for step in range(3, steps, 3)}


@pytest.mark.usefixtures("tried")
def test_that_the_longest_rows_are_tried_saved_and_measured(
    tmp_path, tiny_model, monkeypatch
):
    seen, real = [], trial.worst_of

    def look(recipe, data):
        cut, worst = real(recipe, data)
        seen.append((data, worst))
        return cut, worst

    monkeypatch.setattr(trial, "worst_of", look)
    saved, save = [], trial.TrainingRun.save

    def note(self, step):
        save(self, step)
        if ".trial-" in str(self.directory.path):
            written = self.directory.checkpoints_path.rglob("*.safetensors")
            saved.append(sum(file.stat().st_size for file in written))

    monkeypatch.setattr(trial.TrainingRun, "save", note)
    run = make_run(tmp_path, tiny_model)
    code, events = train(run)
    assert code is ExitCode.OK
    phases = [event.phase for event in of_kind(events, PhaseChanged)]
    assert phases.index(Phase.TRYING) < phases.index(Phase.TRAINING)
    ((data, worst),) = seen
    longest = max(len(row.input_ids) for row in data.training)
    micro = run.read_recipe().train.micro_batch
    assert len(worst.training[0].input_ids) == longest
    assert len(worst.training) == trial.STEPS * micro
    assert saved
    assert saved[0] > 0


@pytest.mark.usefixtures("tried")
def test_that_memory_refused_in_a_trial_is_told_before_the_first_step(
    tmp_path, tiny_model
):
    run = make_run(tmp_path, tiny_model)
    faults.arm("step:oom@2")
    try:
        code, events = train(run)
    finally:
        faults.arm("")
    assert code is ExitCode.OUT_OF_MEMORY
    assert not of_kind(events, StepFinished)
    assert isinstance(events[-1], RunPaused)
    assert events[-1].step == 0
    assert not list(run.path.glob(".trial-*"))
    code, events = train(run, resume=True, save_memory=True)
    assert code is ExitCode.OK
    assert of_kind(events, StepFinished)[0].step == 1


@pytest.mark.usefixtures("tried")
def test_that_a_disk_that_refuses_is_told_before_the_first_step(
    tmp_path, tiny_model, monkeypatch
):
    def refuse(self, step):
        raise disk_refusal(OSError(28, "No space left on device"), self.directory.path)

    monkeypatch.setattr(trial.TrainingRun, "save", refuse)
    code, events = train(make_run(tmp_path, tiny_model))
    assert code is ExitCode.DISK
    assert not of_kind(events, StepFinished)


def test_that_what_a_killed_engine_left_is_swept_away(tmp_path, tiny_model):
    run = make_run(tmp_path, tiny_model, train__max_steps=1)
    gone = [
        run.path / ".trial-abc" / "checkpoints",
        run.checkpoints_path / ".step-4-old.unfinished-999999999",
        run.path / ".adapter.unfinished-999999999",
    ]
    for each in gone:
        each.mkdir(parents=True)
    assert train(run)[0] is ExitCode.OK
    assert not any(each.exists() for each in gone)


def test_that_a_processor_is_spared_the_trial(tmp_path, tiny_model):
    _, events = train(make_run(tmp_path, tiny_model, train__max_steps=1))
    assert Phase.TRYING not in {event.phase for event in of_kind(events, PhaseChanged)}


def test_that_what_hangs_on_a_model_is_put_back():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[1].requires_grad_(False)
    before = {name: each.clone() for name, each in model.state_dict().items()}
    drawn = torch.get_rng_state()
    with trial.untouched(model):
        model[0].forward = lambda given: given
        model.register_forward_hook(lambda *_: None)
        model.eval()
        model[1].requires_grad_(True)
        model[0].weight.data = model[0].weight.data.double() + 1
        torch.rand(3)
    assert "forward" not in vars(model[0])
    assert not model._forward_hooks
    assert model.training
    assert not model[1].weight.requires_grad
    assert torch.equal(torch.get_rng_state(), drawn)
    for name, each in model.state_dict().items():
        assert torch.equal(each, before[name])
    assert trained_bytes(model) == sum(
        each.nbytes for name, each in before.items() if name.startswith("0.")
    )
