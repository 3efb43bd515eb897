"""When memory ran out, a run goes on in less of it and learns the same."""

from types import SimpleNamespace

import pytest
import torch

from studio.cli import engine_run, training
from studio.domain.errors import ExitCode
from studio.domain.memory.measurement import Source
from studio.domain.run import RunState
from studio.engine import faults, relieving
from studio.engine.methods import sft
from studio.engine.methods.training import load_run
from studio.protocol.events import (
    EvalFinished,
    MemoryMeasured,
    RunAdapted,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
)
from studio.services import leading
from studio.services.leading import AGAIN, RESUME, goes_on_by_itself, resume_arguments
from studio.services.run_journal import snapshot_of
from studio.storage.in_force import IN_FORCE, recipe_in_force
from studio.storage.measurements import MeasurementTable
from studio.storage.recipes import load_recipe, save_recipe
from studio.system.paths import measurements_path
from tests.engine.helpers import Heard, of_kind, recipe_for, train
from tests.engine.test_resume import make_run, weights


@pytest.fixture
def happens():
    yield faults.arm
    faults.arm("")


def ran_out(folder, model, happens, **options):
    """A run that memory ran out for in step 5."""
    run = make_run(folder, model, **{"lora__dropout": 0.0, **options})
    happens("step:oom@5")
    code, events = train(run)
    happens("")
    assert code is ExitCode.OUT_OF_MEMORY
    return run, events


def test_that_a_run_goes_on_in_half_the_batch(tmp_path, tiny_model, happens):
    run, _ = ran_out(tmp_path, tiny_model, happens)
    before = run.recipe_path.read_bytes()
    told = snapshot_of(run)
    assert goes_on_by_itself(run, list(run.events())[-1], 0)
    assert tuple(resume_arguments(told)) == AGAIN

    code, events = train(run, resume=True, save_memory=True)
    assert code is ExitCode.OK, events[-1]
    adapted = of_kind(events, RunAdapted)[0]
    assert adapted.after == {"train.micro_batch": 2, "train.accumulation": 2}
    assert of_kind(events, RunResumed)[0].step == 4
    assert run.recipe_path.read_bytes() == before
    assert load_recipe(run.path / IN_FORCE).train.micro_batch == 2
    snapshot = snapshot_of(run)
    assert snapshot.state is RunState.FINISHED
    assert [each.step for each in snapshot.adaptations] == [4]
    told = [each.what for each in snapshot.findings if each.code == "run.adapted"]
    assert len(told) == 1
    assert "train.micro_batch is 2" in told[0]


def test_that_it_learns_the_same_up_to_rounding(tmp_path, tiny_model, happens):
    straight = make_run(tmp_path, tiny_model, lora__dropout=0.0)
    _, told = train(straight)
    run, _ = ran_out(tmp_path, tiny_model, happens)
    _, events = train(run, resume=True, save_memory=True)
    one, other = (of_kind(each, EvalFinished)[-1].loss for each in (told, events))
    assert one == pytest.approx(other, rel=1e-3)


def gradients(folder, model, data, micro, accumulation):
    """Of the first step, before they are clipped."""
    from studio.engine import training_state
    from studio.engine.model_places import place_of
    from tests.engine.helpers import new_run

    options = {
        "train__micro_batch": micro,
        "train__accumulation": accumulation,
        "train__max_steps": 1,
        "train__clipping": 1000.0,
        "model__precision": "fp32",
        "lora__adapter_dtype": "fp32",
    }
    recipe = recipe_for(model, data, **options)
    heard, found = Heard(), {}
    run = load_run(heard.session, new_run(folder, recipe), recipe, place_of(str(model)))
    with torch.no_grad():
        for name, weight in training_state.trained_weights(run.model).items():
            if "lora_B" in name:  # zero at first, so that A would have no gradient
                weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(1))

    class Seen(sft.ResumableTrainer):
        def _get_grad_norm(self, model, grad_norm=None):
            for name, weight in training_state.trained_weights(model).items():
                found[name] = weight.grad.clone()
            return super()._get_grad_norm(model, grad_norm)

    trainer = sft.build_trainer(run)
    trainer.__class__ = Seen
    trainer.train()
    heard.close()
    return found


def test_that_gradients_of_half_a_batch_are_those_of_the_whole(
    tmp_path, tiny_model, chat_file
):
    whole = gradients(tmp_path, tiny_model, chat_file, 4, 1)
    halved = gradients(tmp_path, tiny_model, chat_file, 1, 4)
    assert whole.keys() == halved.keys()
    for name, gradient in whole.items():
        assert gradient.abs().max() > 0
        torch.testing.assert_close(halved[name], gradient, rtol=1e-4, atol=1e-7)


def test_that_only_this_way_accepts_another_recipe(tmp_path, tiny_model, happens):
    run, _ = ran_out(tmp_path, tiny_model, happens)
    chosen = run.read_recipe()
    smaller = chosen.with_value("train.micro_batch", 2)
    save_recipe(run.recipe_path, smaller.with_value("train.accumulation", 2))
    _, events = train(run, resume=True)
    assert of_kind(events, RunFailed)[0].kind == "run.changed"


def test_that_what_is_in_force_counts_only_if_the_run_came_to_it(
    tmp_path, tiny_model, happens
):
    run, _ = ran_out(tmp_path, tiny_model, happens)
    chosen = run.read_recipe()
    save_recipe(run.path / IN_FORCE, chosen.with_value("train.learning_rate", 1.0))
    assert recipe_in_force(run) == chosen
    save_recipe(run.path / IN_FORCE, chosen.with_value("train.micro_batch", 2))
    assert recipe_in_force(run) == chosen  # without the accumulation


def test_that_a_run_that_goes_on_later_keeps_what_it_came_to(
    tmp_path, tiny_model, happens
):
    run, _ = ran_out(tmp_path, tiny_model, happens)
    happens("step.begun:lost@9")
    train(run, resume=True, save_memory=True)
    happens("")
    code, events = train(run, resume=True)
    assert code is ExitCode.OK
    assert not of_kind(events, RunAdapted)
    assert recipe_in_force(run).train.micro_batch == 2


def test_that_nothing_goes_on_by_itself_for_ever(tmp_path, tiny_model, happens):
    run, events = ran_out(
        tmp_path, tiny_model, happens, train__micro_batch=1, train__checkpointing=True
    )
    assert not goes_on_by_itself(run, events[-1], 0)
    assert tuple(resume_arguments(snapshot_of(run))) == RESUME
    code, events = train(run, resume=True, save_memory=True)
    assert code is ExitCode.OUT_OF_MEMORY
    assert "Nothing is left" in events[-1].message


@pytest.mark.parametrize(
    ("word", "times", "goes_on"),
    [
        (RunPaused(step=3, kind="out-of-memory"), 0, True),
        (RunPaused(step=3, kind="out-of-memory"), 9, False),
        (RunPaused(step=3, kind="disk.full"), 0, False),
        (RunPaused(step=3, kind="card.lost"), 0, False),
        (RunPaused(step=3, kind="card.crashed"), 0, False),
        (RunPaused(step=3, kind="card.busy"), 0, False),
        (RunFailed(kind="card.index", message="Beyond."), 0, False),
        (RunPaused(step=3), 0, False),
        (None, 0, False),
    ],
)
def test_that_a_run_goes_on_by_itself_for_want_of_memory_alone(
    word, times, goes_on, tmp_path, tiny_model
):
    assert goes_on_by_itself(make_run(tmp_path, tiny_model), word, times) is goes_on


def test_that_a_card_may_move_what_a_processor_can_not(
    tmp_path, tiny_model, happens, monkeypatch
):
    run, events = ran_out(
        tmp_path, tiny_model, happens, train__micro_batch=1, train__checkpointing=True
    )
    machine = SimpleNamespace(device=lambda: SimpleNamespace(kind="cuda"))
    monkeypatch.setattr(leading, "read_machine_once", lambda: machine)
    monkeypatch.setattr(relieving, "_on_card", lambda: True)
    assert goes_on_by_itself(run, events[-1], 0)
    heard = Heard()
    assert relieving.relieve(heard.session, run).train.offload
    (adapted,) = of_kind(heard.events(), RunAdapted)
    assert adapted.after == {"train.offload": True}
    assert recipe_in_force(run).train.offload
    assert not goes_on_by_itself(run, events[-1], 1)


def test_that_the_prediction_is_corrected(tmp_path, tiny_model, happens):
    _, events = ran_out(tmp_path, tiny_model, happens)
    row = of_kind(events, MemoryMeasured)[-1]
    assert row.ran_out.asked_bytes == faults.ASKED
    kept = MeasurementTable(measurements_path()).read()[0][-1]
    assert kept.source is Source.RUN
    assert kept.ran_out.asked_bytes == faults.ASKED
    assert isinstance(events[-1], RunPaused)


def test_that_the_command_line_leads_a_run_to_its_end(
    tmp_path, tiny_model, monkeypatch
):
    run = make_run(tmp_path, tiny_model)
    noted = tmp_path / "noted"
    monkeypatch.setenv(faults.FAULTS, "step:oom@5,step.optimizer:oom@8")
    monkeypatch.setenv(faults.NOTED, str(noted))
    started, real = [], engine_run.engine_command

    def counted(verb, *arguments):
        started.append(arguments[1:])
        return real(verb, *arguments)

    monkeypatch.setattr(engine_run, "engine_command", counted)
    report = training.run_training(run)
    assert isinstance(report.finished, RunFinished)
    assert report.paused is None
    assert started == [(), AGAIN, AGAIN]
    assert recipe_in_force(run).train.micro_batch == 1
    assert training.verdict_code(report) is ExitCode.OK
    assert weights(run)
    assert len(of_kind(run.events(), RunAdapted)) == 2
