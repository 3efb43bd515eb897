"""A whole run inside the test: what it says, what it learns, what it leaves."""

import json
import math

import pytest

from studio.domain.errors import ExitCode
from studio.domain.run import Phase
from studio.protocol.events import (
    CheckpointSaved,
    EvalFinished,
    Hello,
    MemorySample,
    PhaseChanged,
    RunFailed,
    RunFinished,
    SampleProduced,
    StepFinished,
    Warned,
)
from tests.engine import tiny
from tests.engine.helpers import new_run, of_kind, recipe_for, train


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_model):
    """A run of thirty steps, shared by the tests that only look at it."""
    folder = tmp_path_factory.mktemp("finished")
    data = tiny.write_chats(folder / "chats.jsonl")
    recipe = recipe_for(
        tiny_model,
        data,
        train__max_steps=30,
        train__eval_steps=10,
        train__save_steps=15,
        train__schedule="constant",
    )
    run = new_run(folder / "runs", recipe)
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    return run, events


def test_that_training_lowers_the_held_out_loss(finished):
    _, events = finished
    losses = {event.step: event.loss for event in of_kind(events, EvalFinished)}
    assert list(losses) == [0, 10, 20, 30]
    assert losses[30] < losses[0] - 1


def test_that_every_step_is_reported_with_its_figures(finished):
    _, events = finished
    steps = of_kind(events, StepFinished)
    assert [step.step for step in steps] == list(range(1, 31))
    assert {step.total for step in steps} == {30}
    assert all(math.isfinite(step.loss) for step in steps)
    assert all(step.grad_norm > 0 and step.tokens_per_s > 0 for step in steps)
    assert steps[-1].lr == pytest.approx(1e-2)
    assert steps[-1].epoch == pytest.approx(30 / 9)


def test_that_a_run_goes_through_its_phases_in_order(finished):
    _, events = finished
    assert isinstance(events[0], Hello)
    assert isinstance(events[-1], RunFinished)
    phases = [event.phase for event in of_kind(events, PhaseChanged)]
    measured = [Phase.EVALUATING, Phase.SAMPLING, Phase.TRAINING]
    assert phases == [
        Phase.LOADING_MODEL,
        Phase.PREPARING_DATA,
        Phase.EVALUATING,
        Phase.SAMPLING,
        Phase.TRAINING,
        *measured,
        *measured,
        Phase.SAVING,
        Phase.EVALUATING,
        Phase.SAMPLING,
    ]


def test_that_answers_are_given_at_each_measurement(finished):
    _, events = finished
    samples = of_kind(events, SampleProduced)
    measured = [event.step for event in of_kind(events, EvalFinished)]
    assert [sample.step for sample in samples] == measured == [0, 10, 20, 30]
    assert {sample.prompt for sample in samples} == {"Which cheese is number 7?"}
    assert samples[0].text != samples[-1].text


def test_that_memory_is_reported_while_training(finished):
    _, events = finished
    memory = of_kind(events, MemorySample)
    assert memory
    assert all(sample.process_bytes > 0 for sample in memory)


def test_that_the_journal_holds_what_was_said(finished):
    run, events = finished
    assert list(run.events()) == events


def test_that_checkpoints_are_whole_adapters(finished):
    run, events = finished
    saved = of_kind(events, CheckpointSaved)
    assert [event.path for event in saved] == [
        "checkpoints/step-15",
        "checkpoints/step-30",
    ]
    names = {file.name for file in run.adapter_path.iterdir()}
    for event in saved:
        saved_names = {file.name for file in (run.path / event.path).iterdir()}
        assert saved_names - names == {
            "manifest.json",
            "trainer_state.json",
            "training_state.json",
            "training_state.safetensors",
        }
        assert names <= saved_names


def test_that_tokenizer_and_template_lie_beside_the_adapter(finished):
    run, _ = finished
    names = {file.name for file in run.adapter_path.iterdir()}
    assert names == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "chat_template.jinja",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    template = (run.adapter_path / "chat_template.jinja").read_text()
    assert template == tiny.CHATML


def test_that_no_file_of_the_adapter_names_a_place_of_this_machine(
    finished, tiny_model
):
    run, _ = finished
    secret = [str(run.path), str(tiny_model), "/root", "/home", "/tmp"]
    for file in run.adapter_path.iterdir():
        content = file.read_bytes()
        for path in secret:
            assert path.encode() not in content, file.name
    config = json.loads((run.adapter_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny-llama"


def test_that_the_card_says_what_was_reached(finished):
    run, events = finished
    card = (run.adapter_path / "README.md").read_text()
    losses = {event.step: event.loss for event in of_kind(events, EvalFinished)}
    assert f"{losses[0]:.4f} nats a token before, {losses[30]:.4f} after" in card
    assert "| lora.rank | 8 |" in card
    assert "chats.jsonl" in card


def test_that_the_machine_was_recorded_beside_the_run(finished):
    run, _ = finished
    samples = list(run.machine_samples())
    assert samples
    assert all(0 < sample.free_bytes < sample.total_bytes for sample in samples)
    assert all(sample.run_bytes for sample in samples)


def test_that_nothing_else_is_left_in_the_run_directory(finished):
    run, _ = finished
    names = {entry.name for entry in run.path.iterdir()}
    own = {"recipe.toml", "events.jsonl", "machine.jsonl", "adapter", "checkpoints"}
    own.add(".lock")  # an empty file, which says nothing by itself
    assert names == own
    assert not list(run.path.rglob("training_args.bin"))
    assert not [path for path in run.path.rglob("*") if path.suffix in {".bin", ".pt"}]


@pytest.mark.parametrize(
    "options",
    [
        {"model__precision": "nf4", "model__compute_dtype": "bf16"},
        {"model__precision": "fp4", "model__double_quant": False},
        {"model__precision": "int8"},
        {"model__precision": "bf16", "model__compute_dtype": "bf16"},
        {"model__precision": "fp32", "model__compute_dtype": "bf16"},
        {"model__precision": "fp32", "lora__adapter_dtype": "fp32"},
        {
            "model__precision": "nf4",
            "model__compute_dtype": "bf16",
            "lora__adapter_dtype": "fp32",
        },
        {"train__optimizer": "adamw_8bit", "train__checkpointing": True},
        {"train__optimizer": "adamw_foreach", "train__accumulation": 2},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_that_every_format_learns(tmp_path, tiny_qwen, chat_file, options):
    recipe = recipe_for(tiny_qwen, chat_file, train__max_steps=12, **options)
    code, events = train(new_run(tmp_path, recipe))
    assert code is ExitCode.OK, events[-1]
    first, last = of_kind(events, EvalFinished)
    assert last.loss < first.loss - 0.1


@pytest.mark.parametrize("held_out", [0.0, 0.1], ids=["in a step", "measured"])
def test_that_a_loss_that_is_no_number_ends_the_run(
    tmp_path, broken_model, chat_file, held_out
):
    run = new_run(
        tmp_path, recipe_for(broken_model, chat_file, data__held_out=held_out)
    )
    code, events = train(run)
    assert code is ExitCode.NON_FINITE
    assert isinstance(events[-1], RunFailed)
    assert events[-1].kind == "non-finite"
    assert "its loss is nan" in events[-1].message
    assert "train.learning_rate" in events[-1].advice
    assert not run.adapter_path.exists()


def test_that_a_run_without_held_out_rows_isnt_measured(
    tmp_path, tiny_model, chat_file
):
    recipe = recipe_for(tiny_model, chat_file, data__held_out=0.0, data__prompts=())
    code, events = train(new_run(tmp_path, recipe))
    assert code is ExitCode.OK
    assert of_kind(events, EvalFinished) == []
    assert len(of_kind(events, SampleProduced)) == 6
    assert of_kind(events, Warned) == []


def test_that_the_same_seed_gives_the_same_losses(tmp_path, tiny_model, chat_file):
    recipe = recipe_for(tiny_model, chat_file, lora__dropout=0.1)
    losses = []
    for _ in range(2):
        _, events = train(new_run(tmp_path, recipe))
        losses.append([step.loss for step in of_kind(events, StepFinished)])
    assert losses[0] == losses[1]


def test_that_a_run_says_which_options_it_ignores(tmp_path, tiny_model, chat_file):
    recipe = recipe_for(tiny_model, chat_file, compat__full_logits=True)
    code, events = train(new_run(tmp_path, recipe))
    assert code is ExitCode.OK
    (warned,) = of_kind(events, Warned)
    assert warned.finding.what == "Training ignores compat.full_logits."
