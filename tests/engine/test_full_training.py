"""All weights are trained, saved as one whole model, and gone on with exactly."""

import json

import pytest
import torch
from safetensors.torch import load_file

from studio.domain.errors import ExitCode
from studio.engine import checkpoints
from studio.engine.exporting.privacy import refuse_private_files
from studio.engine.model_loading import load_plain
from studio.protocol.answer_events import Generated
from studio.protocol.events import (
    EvalFinished,
    RunFailed,
    RunFinished,
    RunResumed,
)
from studio.services.run_journal import saved_words, snapshot_of
from studio.storage.push_files import Kind, pushable
from tests.engine import tiny
from tests.engine.helpers import carry_out, new_run, of_kind, recipe_for, train

pytestmark = pytest.mark.torch

FULL = {
    "train__weights": "all",
    "model__precision": "fp32",
    "train__learning_rate": 1e-3,
    "train__max_steps": 6,
    "train__save_steps": 2,
    "data__prompts": ["Hello"],
}
WAYS = {
    "fp32": {},
    "bf16": {"model__precision": "bf16", "model__compute_dtype": "bf16"},
    "mixed": {"model__compute_dtype": "bf16"},
    "8 bit": {"train__optimizer": "adamw_8bit"},
    "adafactor": {
        "model__precision": "bf16",
        "model__compute_dtype": "bf16",
        "train__optimizer": "adafactor",
    },
    "packed": {"train__packing": True},
}


def make_run(folder, model, **options):
    data = folder / "chats.jsonl"
    if not data.exists():
        tiny.write_chats(data)
    return new_run(folder / "runs", recipe_for(model, data, **{**FULL, **options}))


def weights(run):
    return (run.model_path / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def trained(tmp_path_factory, tiny_model):
    folder = tmp_path_factory.mktemp("full")
    run = make_run(folder, tiny_model, train__learning_rate=1e-2, train__max_steps=12)
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    return run, events


def test_that_the_result_can_be_pushed_as_it_is(trained):
    run, _ = trained
    found = pushable(run.model_path)
    assert (found.kind, found.run, found.left_out) == (Kind.WHOLE, run.name, ())
    refuse_private_files(found.files, run.path)


def test_that_every_weight_moves_and_the_loss_falls(trained, tiny_model):
    run, events = trained
    before = load_plain(tiny_model, torch.float32).state_dict()
    after = load_plain(run.model_path, torch.float32).state_dict()
    assert before.keys() == after.keys()
    assert not [name for name in before if torch.equal(before[name], after[name])]
    first, *_, last = of_kind(events, EvalFinished)
    assert last.loss < first.loss


def test_that_the_result_is_a_model_and_no_adapter(trained):
    run, events = trained
    end = events[-1]
    assert isinstance(end, RunFinished)
    assert (end.adapter, end.model) == ("", "model")
    assert not run.adapter_path.exists()
    names = {file.name for file in run.model_path.iterdir()}
    assert {"config.json", "tokenizer.json", "README.md"} <= names
    assert not {name for name in names if name.endswith((".bin", ".pt"))}
    card = (run.model_path / "README.md").read_text()
    assert "# Fine-tuned version of" in card
    assert "lora" not in card.casefold()
    assert str(run.path) not in "".join(
        file.read_text() for file in run.model_path.glob("*.json")
    )
    snapshot = snapshot_of(run)
    assert (snapshot.result, snapshot.adapter) == ("model", None)
    assert saved_words(snapshot) == "The model is saved."


def test_that_it_answers_otherwise_than_its_base(trained):
    run, _ = trained
    asked = {
        "source": run.path,
        "prompt": ["Which cheese is number 7?"],
        "max_new_tokens": 8,
    }
    told = {}
    for base in (False, True):
        code, events = carry_out("generate", base=base, **asked)
        assert code is ExitCode.OK, events[-1]
        told[base] = of_kind(events, Generated)[0].text
    assert told[False] != told[True]


def test_that_there_is_nothing_to_merge(trained, tmp_path):
    run, _ = trained
    code, events = carry_out(
        "merge", run=run.path, out=tmp_path / "m", dtype="bf16", overwrite=False
    )
    assert code is ExitCode.BAD_INPUT
    assert "a whole model already" in of_kind(events, RunFailed)[0].message


def test_that_a_run_is_not_trained_twice(trained):
    code, events = train(trained[0])
    assert code is ExitCode.BAD_INPUT
    assert "has been trained already" in events[-1].message


@pytest.mark.parametrize("way", WAYS)
def test_that_going_on_equals_never_having_stopped(way, tmp_path, tiny_model, cut_at):
    straight = make_run(tmp_path, tiny_model, **WAYS[way])
    assert train(straight)[0] is ExitCode.OK
    broken = make_run(tmp_path, tiny_model, **WAYS[way])
    cut_at(5)
    assert train(broken)[0] is not ExitCode.OK
    code, events = train(broken, resume=True)
    assert code is ExitCode.OK, events[-1]
    assert of_kind(events, RunResumed)[0].step == 4
    assert weights(broken) == weights(straight)


def test_that_a_checkpoint_holds_the_weights_once_and_its_size_is_asked_for(
    tmp_path, tiny_model, monkeypatch
):
    asked = []
    monkeypatch.setattr(
        checkpoints, "need_space", lambda _, needed, what: asked.append((needed, what))
    )
    run = make_run(tmp_path, tiny_model)
    assert train(run)[0] is ExitCode.OK
    folder = run.checkpoints_path / "step-6"
    held = sum(file.stat().st_size for file in folder.iterdir())
    model = load_file(run.model_path / "model.safetensors")
    once = sum(weight.nbytes for weight in model.values())
    assert [what for _, what in asked] == ["The checkpoint"] * 3
    # The weights and AdamW's two states of each, and little beside them.
    assert 3 * once <= held <= asked[-1][0] + (1 << 20)
    assert asked[-1][0] <= 3.1 * once


def test_that_the_file_of_the_base_stays_as_it_was(tmp_path, tiny_model):
    file = tiny_model / "model.safetensors"
    before = file.read_bytes()
    assert train(make_run(tmp_path, tiny_model))[0] is ExitCode.OK
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model__precision": "nf4"}, "Set model.precision to bf16 or fp32"),
        ({"model__precision": "fp16", "model__compute_dtype": "fp16"}, "fp32"),
    ],
)
def test_that_weights_that_can_not_be_trained_are_refused(
    options, words, tmp_path, tiny_model
):
    code, events = train(make_run(tmp_path, tiny_model, **options))
    assert code is ExitCode.BAD_INPUT
    assert words in events[-1].advice


def test_that_its_configuration_names_no_place(trained):
    config = json.loads((trained[0].model_path / "config.json").read_text())
    assert "_name_or_path" not in config
