"""Going on after a stop equals never having stopped, bit for bit."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from studio.domain.errors import ExitCode
from studio.domain.run import Phase, RunState
from studio.engine import checkpoints, resuming, training_state
from studio.engine.adaptive_rank.allocation import RankAllocator
from studio.engine.resuming import changes, fingerprint_of
from studio.protocol.adapter_events import RanksSpread
from studio.protocol.commands import Pause, Stop
from studio.protocol.events import (
    CheckpointSaved,
    EvalFinished,
    Hello,
    PhaseChanged,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    StepFinished,
    Warned,
)
from studio.services.run_journal import snapshot_of
from studio.storage.checkpoint_folders import MANIFEST, Position, all_of, read
from studio.storage.run_directory import RunDirectory
from studio.system.versions import version_of
from tests.engine import tiny
from tests.engine.helpers import engine, new_run, of_kind, recipe_for, train

pytestmark = pytest.mark.torch

STEPS = 14  # a pass takes nine
COMMON = {
    "train__max_steps": STEPS,
    "train__save_steps": 3,
    "lora__dropout": 0.1,
    "data__prompts": ["Hello"],
}
WAYS = {
    "fp32": {},
    "accumulated": {"train__micro_batch": 1, "train__accumulation": 4},
    "nf4": {"model__precision": "nf4"},
    "bf16": {
        "model__precision": "bf16",
        "model__compute_dtype": "bf16",
        "lora__adapter_dtype": "bf16",
        "train__optimizer": "adamw_foreach",
    },
    "8 bit": {
        "model__precision": "nf4",
        "train__optimizer": "adamw_8bit",
        "lora__rank": 128,  # smaller tensors keep their states in 32 bits
    },
    "lion": {
        "model__precision": "nf4",
        "train__optimizer": "lion",
        "lora__adapter_dtype": "bf16",
    },
    "lion in 8 bit": {
        "model__precision": "nf4",
        "train__optimizer": "lion_8bit",
        "lora__rank": 128,
    },
    "adafactor": {
        "model__precision": "nf4",
        "train__optimizer": "adafactor",
        "lora__adapter_dtype": "bf16",
    },
    "adafactor, fp32": {
        "train__optimizer": "adafactor",
        "train__weight_decay": 0.1,
        "lora__adapter_dtype": "fp32",
        "lora__plus_ratio": 4.0,
    },
    "dora": {
        "model__precision": "nf4",
        "lora__variant": "dora",
        "lora__adapter_dtype": "fp32",
    },
    "lora+": {"lora__plus_ratio": 16.0, "train__weight_decay": 0.1},
    "lora+, dora in 8 bit": {
        "model__precision": "nf4",
        "lora__variant": "dora",
        "lora__adapter_dtype": "fp32",
        "lora__plus_ratio": 4.0,
        "lora__rank": 128,
        "train__optimizer": "adamw_8bit",
    },
    "loftq": {
        "model__precision": "nf4",
        "lora__variant": "loftq",
        "lora__adapter_dtype": "fp32",
    },
    "pissa": {"lora__variant": "pissa", "lora__dropout": 0.0},
    "pissa in nf4": {
        "model__precision": "nf4",
        "model__compute_dtype": "bf16",
        "lora__variant": "pissa",
        "lora__dropout": 0.0,
    },
    "adalora": {"lora__variant": "adalora", "train__weight_decay": 0.1},
    "adalora in nf4": {
        "model__precision": "nf4",
        "model__compute_dtype": "bf16",
        "lora__variant": "adalora",
        "train__accumulation": 2,
        "train__micro_batch": 2,
    },
    "adalora, norms beside, in 8 bit": {
        "model__precision": "int8",
        "model__compute_dtype": "bf16",
        "lora__variant": "adalora",
        "lora__rank": 96,
        "lora__plus_ratio": 4.0,
        "lora__train_norms": True,
        "train__optimizer": "adamw_8bit",
    },
    "adalora of pairs": {
        "lora__variant": "adalora",
        "train__method": "dpo",
        "lora__dropout": 0.0,
    },
    "embeddings and norms": {
        "model__precision": "nf4",
        "model__compute_dtype": "bf16",
        "lora__train_norms": True,
        "lora__train_embeddings": True,
    },
    "embeddings in fp32": {
        "lora__train_embeddings": True,
        "lora__adapter_dtype": "bf16",
        "train__optimizer": "adamw_8bit",
    },
    "noise and smoothed": {
        "train__neftune": 5.0,
        "train__label_smoothing": 0.1,
        "train__warmup_steps": 4,
    },
    "adafactor, embeddings beside": {
        "model__precision": "nf4",
        "train__optimizer": "adafactor",
        "lora__adapter_dtype": "bf16",
        "lora__plus_ratio": 4.0,
        "lora__train_norms": True,
        "lora__train_embeddings": True,
    },
    "held, then decaying": {
        "train__schedule": "hold_and_decay",
        "train__decay_share": 0.5,
        "train__floor": 0.1,
        "train__optimizer": "adafactor",
        "train__accumulation": 2,
    },
    "leaving the best": {"train__eval_steps": 3, "train__keep_best": True},
    "pairs": {
        "model__precision": "nf4",
        "train__method": "dpo",
        "lora__dropout": 0.0,
    },
    "pairs by odds": {"train__method": "orpo"},
    "rated": {
        "model__precision": "nf4",
        "train__method": "kto",
        "lora__dropout": 0.0,
    },
    "pairs from a start": {
        "model__precision": "nf4",
        "model__compute_dtype": "bf16",
        "train__method": "dpo",
        "lora__variant": "pissa",
        "lora__dropout": 0.0,
    },
    "rated, all beside": {
        "model__precision": "nf4",
        "train__method": "kto",
        "lora__variant": "loftq",
        "lora__adapter_dtype": "fp32",
        "lora__train_norms": True,
        "lora__train_embeddings": True,
        "lora__dropout": 0.0,
    },
    "packed": {"train__packing": True, "train__sequence_length": 128},
}


def go_on(run, **more):
    return train(run, resume=True, **more)


def weights(run):
    return (run.adapter_path / "adapter_model.safetensors").read_bytes()


# What methods that learn from judgements read; the answers are those of the chats.
JUDGED = {
    "dpo": lambda asked, good: {"chosen": good, "rejected": "None.", **asked},
    "kto": lambda asked, good: {"completion": good, "label": "7" in good, **asked},
}
JUDGED["orpo"] = JUDGED["dpo"]


def rows_of(method):
    for row in tiny.chats():
        question, answer = (turn["content"] for turn in row["messages"])
        judge = JUDGED.get(method)
        yield judge({"prompt": question}, answer) if judge else row


def make_run(folder, model, **options):
    data = folder / "chats.jsonl"
    if not data.exists():
        tiny.write_chats(data, list(rows_of(options.get("train__method"))))
    recipe = recipe_for(model, data, **{**COMMON, **options})
    return new_run(folder / "runs", recipe)


@pytest.mark.parametrize("way", WAYS)
def test_that_going_on_equals_never_having_stopped(way, tmp_path, tiny_model, cut_at):
    straight = make_run(tmp_path, tiny_model, **WAYS[way])
    code, events = train(straight)
    assert code is ExitCode.OK, events[-1]

    broken = make_run(tmp_path, tiny_model, **WAYS[way])
    cut_at(5)  # within the first pass, saved at 3
    assert train(broken)[0] is not ExitCode.OK
    cut_at(13)  # within the second, saved at 12
    code, events = go_on(broken)
    assert code is not ExitCode.OK
    assert of_kind(events, RunResumed)[0].step == 3
    code, events = go_on(broken)
    assert code is ExitCode.OK, events[-1]
    assert of_kind(events, RunResumed)[0].step == 12
    assert [step.step for step in of_kind(events, StepFinished)] == [13, 14]
    assert weights(broken) == weights(straight)
    measured = of_kind(told_by(straight), EvalFinished)[-1]
    assert of_kind(events, EvalFinished)[-1].loss == measured.loss


@pytest.mark.parametrize("step", [1, 2, 6, 10, 11])
def test_that_a_rank_goes_on_being_spread_from_any_step(
    step, tmp_path, tiny_model, cut_at
):
    """Nothing is taken away up to step 1, and nothing more behind step 10."""
    options = {"lora__variant": "adalora", "train__save_steps": 1}
    straight = make_run(tmp_path, tiny_model, **options)
    _, events = train(straight)
    broken = make_run(tmp_path, tiny_model, **options)
    cut_at(step + 1)
    assert train(broken)[0] is not ExitCode.OK
    code, again = go_on(broken)
    assert code is ExitCode.OK, again[-1]
    assert of_kind(again, RunResumed)[0].step == step
    assert weights(broken) == weights(straight)
    assert of_kind(again, RanksSpread)[0].ranks == of_kind(events, RanksSpread)[0].ranks


@pytest.mark.parametrize("step", [3, 12])
def test_that_what_a_rank_is_spread_by_matters(
    step, tmp_path, tiny_model, cut_at, monkeypatch
):
    options = {"lora__variant": "adalora"}
    straight = make_run(tmp_path, tiny_model, **options)
    train(straight)
    broken = make_run(tmp_path, tiny_model, **options)
    cut_at(step + 1)
    train(broken)
    monkeypatch.setattr(RankAllocator, "put", nothing)
    assert go_on(broken)[0] is ExitCode.OK
    assert weights(broken) != weights(straight)


def told_by(run):
    return list(RunDirectory.at(run.path).events())


def test_that_the_end_of_a_pass_is_no_exception(tmp_path, tiny_model, cut_at):
    straight = make_run(tmp_path, tiny_model)
    train(straight)
    broken = make_run(tmp_path, tiny_model)
    cut_at(10)
    train(broken)
    _, events = go_on(broken)
    assert of_kind(events, RunResumed)[0].step == 9
    assert weights(broken) == weights(straight)


def nothing(*_):
    """Put nothing back."""


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (training_state, "put_chance"),
        (training_state, "put_weights"),
        (training_state.Resumable, "_load_optimizer_and_scheduler"),
    ],
)
def test_that_each_part_of_the_state_matters(
    where, name, tmp_path, tiny_model, cut_at, monkeypatch
):
    straight = make_run(tmp_path, tiny_model)
    train(straight)
    broken = make_run(tmp_path, tiny_model)
    cut_at(5)
    train(broken)
    monkeypatch.setattr(where, name, nothing)
    assert go_on(broken)[0] is ExitCode.OK
    assert weights(broken) != weights(straight)


def test_that_nothing_read_is_held_while_it_trains(
    tmp_path, tiny_model, cut_at, monkeypatch
):
    broken = make_run(tmp_path, tiny_model)
    cut_at(5)
    train(broken)
    held, keep = [], training_state.StateKeeper.on_step_end

    def look(self, *given, **more):
        held.append(self._trainer.state_read)
        keep(self, *given, **more)

    monkeypatch.setattr(training_state.StateKeeper, "on_step_end", look)
    assert go_on(broken)[0] is ExitCode.OK
    assert held == [None] * (STEPS - 3)


def test_that_an_adapter_lost_behind_the_last_step_is_written_again(
    tmp_path, tiny_model
):
    run = make_run(tmp_path, tiny_model, train__save_steps=STEPS)
    train(run)
    written = weights(run)
    shutil.rmtree(run.adapter_path)
    assert go_on(run)[0] is ExitCode.OK
    assert weights(run) == written


def test_that_a_change_is_noticed_before_a_weight_is_loaded(
    tmp_path, tiny_model, cut_at
):
    broken = make_run(tmp_path, tiny_model)
    cut_at(5)
    train(broken)
    tiny.write_chats(tmp_path / "chats.jsonl", tiny.chats(39))
    _, events = go_on(broken)
    phases = {event.phase for event in of_kind(events, PhaseChanged)}
    assert Phase.LOADING_MODEL not in phases


def test_that_data_that_are_gone_are_told_in_words(tmp_path, tiny_model, cut_at):
    broken = make_run(tmp_path, tiny_model)
    cut_at(5)
    train(broken)
    (tmp_path / "chats.jsonl").unlink()
    code, events = go_on(broken)
    assert code is ExitCode.BAD_INPUT
    assert of_kind(events, RunFailed)[0].kind != "internal"


def test_that_a_checkpoint_needs_room_for_its_state(tmp_path, tiny_model, monkeypatch):
    run = make_run(tmp_path, tiny_model)
    asked = []
    monkeypatch.setattr(
        checkpoints, "need_space", lambda _, needed, what: asked.append((needed, what))
    )
    train(run)
    needed, what = asked[-1]
    state = run.checkpoints_path / "step-12" / "training_state.safetensors"
    assert what == "The checkpoint"
    assert needed > state.stat().st_size


def test_that_a_damaged_checkpoint_is_told_and_the_one_before_is_taken(
    tmp_path, tiny_model, cut_at
):
    straight = make_run(tmp_path, tiny_model)
    train(straight)
    broken = make_run(tmp_path, tiny_model)
    cut_at(8)
    train(broken)
    damaged = broken.checkpoints_path / "step-6" / "training_state.safetensors"
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    code, events = go_on(broken)
    assert code is ExitCode.OK
    assert of_kind(events, RunResumed)[0].step == 3
    told = [event.finding.what for event in of_kind(events, Warned)]
    assert any("step-6" in words and "damaged" in words for words in told)
    assert weights(broken) == weights(straight)


def edited_data(folder, model, patch):
    tiny.write_chats(folder / "chats.jsonl", tiny.chats(39))


def edited_template(folder, model, patch):
    file = model / "chat_template.jinja"
    told = file.read_text("utf-8")
    file.write_text(told.replace("'] + '<", "'] + ' <"), "utf-8")
    assert file.read_text("utf-8") != told


def a_template_more(folder, model, patch):
    more = model / "additional_chat_templates" / "tools.jinja"
    more.parent.mkdir()
    more.write_text(tiny.CHATML, "utf-8")


def edited_tokenizer(folder, model, patch):
    file = model / "tokenizer_config.json"
    told = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(told | {"model_max_length": 511}), "utf-8")


def edited_config(folder, model, patch):
    file = model / "config.json"
    told = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(told | {"rms_norm_eps": 1e-5}), "utf-8")


def longer_weights(folder, model, patch):
    """The same tensors behind a longer head."""
    file = model / "model.safetensors"
    told = {"format": "pt", "note": "longer"}
    save_file(load_file(file), file, metadata=told)


def another_version(of):
    def change(folder, model, patch):
        known = resuming.version_of
        patch.setattr(
            resuming, "version_of", lambda name: "9.9" if name == of else known(name)
        )

    return change


CHANGES = {
    "the data": edited_data,
    "the base model's chat_template.jinja": edited_template,
    "the base model's additional_chat_templates/tools.jinja": a_template_more,
    "the base model's tokenizer_config.json": edited_tokenizer,
    "the base model changed": edited_config,
    "3 the base model changed": longer_weights,
    **{f"{of} (": another_version(of) for of in ("trl", "datasets", "tokenizers")},
    f"snugtune ({version_of('snugtune')}, now 9.9)": another_version("snugtune"),
}


@pytest.mark.parametrize("words", CHANGES)
def test_that_a_change_is_named_and_only_accepted_when_asked_for(
    words, tmp_path, tiny_model, cut_at, monkeypatch
):
    model = shutil.copytree(tiny_model, tmp_path / "model")
    broken = make_run(tmp_path, model)
    cut_at(5)
    train(broken)
    CHANGES[words](tmp_path, model, monkeypatch)
    code, events = go_on(broken)
    assert code is ExitCode.BAD_INPUT
    failed = of_kind(events, RunFailed)[0]
    assert failed.kind == "run.changed"
    assert words in failed.message
    assert failed.advice == "Put back what changed, or go on all the same."
    code, events = go_on(broken, accept_changes=True)
    assert code is ExitCode.OK, events[-1]
    assert of_kind(events, RunResumed)[0].step == 3
    assert any(words in w.finding.what for w in of_kind(events, Warned))


def test_that_nothing_unchanged_is_named(tmp_path, tiny_model):
    recipe = recipe_for(tiny_model, tmp_path)
    then, now = (fingerprint_of(recipe, "", tiny_model, "cpu") for _ in range(2))
    assert changes(then, now) == []
    assert {"tokenizer.json", "chat_template.jinja"} <= then.tokens.keys()


def test_that_a_checkpoint_of_before_is_compared_by_what_it_knows(
    tmp_path, tiny_model, cut_at
):
    """Its manifest names neither tokens nor the program's own version."""
    broken = make_run(tmp_path, tiny_model)
    cut_at(5)
    train(broken)
    file = broken.checkpoints_path / "step-3" / MANIFEST
    told = json.loads(file.read_bytes())
    del told["fingerprint"]["tokens"]
    for name in ("snugtune", "datasets", "tokenizers"):
        del told["fingerprint"]["versions"][name]
    file.write_text(json.dumps(told), "utf-8")
    code, events = go_on(broken)
    assert code is ExitCode.OK, events[-1]
    assert not of_kind(events, Warned)


def test_that_a_run_without_a_checkpoint_is_told_so(tmp_path, tiny_model, cut_at):
    broken = make_run(tmp_path, tiny_model)
    cut_at(2)
    train(broken)
    code, events = go_on(broken)
    assert code is ExitCode.BAD_INPUT
    assert "no checkpoint" in of_kind(events, RunFailed)[0].message


def test_that_surplus_checkpoints_go_and_the_best_stays(tmp_path, tiny_model):
    run = make_run(tmp_path, tiny_model, train__eval_steps=3, train__keep_checkpoints=2)
    _, events = train(run)
    losses = {e.step: e.loss for e in of_kind(events, EvalFinished) if e.step}
    saved = [event.step for event in of_kind(events, CheckpointSaved)]
    assert saved == [3, 6, 9, 12]
    left = {int(each.name[5:]) for each in run.checkpoints_path.iterdir()}
    # What is measured at a step comes behind saving it.
    best = min((step for step in losses if step < 12), key=losses.__getitem__)
    assert left == {9, 12, best}
    assert {step for step, _ in snapshot_of(run).checkpoints} == left


def test_that_the_story_goes_on_behind_the_step_it_went_back_to(
    tmp_path, tiny_model, cut_at
):
    broken = make_run(tmp_path, tiny_model)
    cut_at(5)
    train(broken)
    go_on(broken)
    told = snapshot_of(broken)
    assert [point.step for point in told.steps] == list(range(1, STEPS + 1))
    assert told.failure is None
    assert isinstance(told_by(broken)[-1], RunFinished)


def states_told(run):
    """What the manifests of a run's checkpoints tell, by step."""
    kept = [read(folder).manifest for _, folder in all_of(run.checkpoints_path)]
    return {manifest.step: manifest.state for manifest in kept}


@pytest.mark.parametrize(
    ("way", "dtypes"),
    [
        ("fp32", {"weights": "bfloat16", "optimizer": "bfloat16 float32"}),
        ("adafactor, fp32", {"weights": "float32", "optimizer": "float32"}),
        ("8 bit", {"weights": "bfloat16", "optimizer": "float32 uint8"}),
        (
            "adalora",
            {
                "weights": "bfloat16 float32",
                "optimizer": "bfloat16 float32",
                "ranks": "bool",  # which stay; means aren't needed any more
            },
        ),
    ],
)
def test_that_a_manifest_tells_the_formats_of_the_state(
    way, dtypes, tmp_path, tiny_model
):
    run = make_run(tmp_path, tiny_model, **WAYS[way])
    assert train(run)[0] is ExitCode.OK
    told = states_told(run)[12].dtypes
    assert {kind: " ".join(formats) for kind, formats in told.items()} == dtypes


@pytest.mark.parametrize(
    ("options", "positions"),
    [
        # 36 rows are trained on, in batches of 4, then of 5 of which the last is of 1.
        ({}, {3: (1 / 3, 12), 6: (2 / 3, 24), 9: (1, 0), 12: (4 / 3, 12)}),
        (
            {"train__micro_batch": 5, "train__accumulation": 2},
            {3: (0.75, 30), 6: (1.5, 20), 9: (2.25, 10), 12: (3, 0)},
        ),
    ],
)
def test_that_a_manifest_tells_where_in_the_data_it_stands(
    options, positions, tmp_path, tiny_model, cut_at
):
    run = make_run(tmp_path, tiny_model, train__keep_checkpoints=9, **options)
    cut_at(8)
    assert train(run)[0] is not ExitCode.OK
    assert go_on(run)[0] is ExitCode.OK
    told = {step: state.position for step, state in states_told(run).items()}
    assert told == {
        step: Position(pytest.approx(epoch), rows, 36)
        for step, (epoch, rows) in positions.items()
    }


def test_that_no_pickle_is_kept(tmp_path, tiny_model):
    run = make_run(tmp_path, tiny_model)
    train(run)
    kinds = {f.suffix for f in run.checkpoints_path.rglob("*") if f.is_file()}
    assert kinds <= {".safetensors", ".json", ".jinja", ".md"}


def test_that_a_pause_gives_the_memory_back_and_goes_on_at_the_same_step(
    tmp_path, tiny_model
):
    straight = make_run(tmp_path, tiny_model, train__max_steps=60)
    train(straight)
    paused = make_run(tmp_path, tiny_model, train__max_steps=60)
    with engine("train", paused.path) as process:
        process.listen_until(StepFinished)
        process.order(Pause())
        code, _ = process.end()
    assert code == ExitCode.OK
    step = process.events[-1].step
    assert isinstance(process.events[-1], RunPaused)
    assert 0 < step < 60
    snapshot = snapshot_of(paused)
    assert snapshot.state is RunState.PAUSED
    assert not paused.adapter_path.exists()
    code, events = go_on(paused)
    assert code is ExitCode.OK
    assert of_kind(events, RunResumed)[0].step == step
    assert weights(paused) == weights(straight)


def test_that_a_run_paused_before_its_first_step_begins_anew(tmp_path, tiny_model):
    straight = make_run(tmp_path, tiny_model)
    train(straight)
    paused = make_run(tmp_path, tiny_model)
    with engine("train", paused.path) as process:
        process.listen_until(Hello)
        process.order(Pause())
        process.end()
    assert process.events[-1].step == 0
    assert snapshot_of(paused).state is RunState.PAUSED
    code, events = go_on(paused)
    assert code is ExitCode.OK
    assert of_kind(events, RunResumed)[0].step == 0
    assert weights(paused) == weights(straight)


def test_that_a_stop_behind_a_pause_keeps_the_adapter(tmp_path, tiny_model):
    run = make_run(tmp_path, tiny_model, train__max_steps=1000)
    with engine("train", run.path) as process:
        process.listen_until(StepFinished)
        process.order(Pause())
        process.order(Stop())
        process.end()
    assert isinstance(process.events[-1], RunFinished)
    assert (run.adapter_path / "adapter_model.safetensors").is_file()
