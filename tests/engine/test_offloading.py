"""What recomputed layers remember leaves a card and comes back as it was.

There is no card here. What is shown is the logic of the hooks on a processor's tensors:
what they are given, that it comes back bit for bit, and what the dry run makes of it.
tests/gpu/test_offloading.py tries the same on a card.
"""

import json
from types import SimpleNamespace

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from transformers import modeling_utils

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import ExitCode, StudioError
from studio.domain.memory.estimate import MemoryPhase
from studio.domain.offloading import main_memory_bytes
from studio.domain.recipe import Recipe
from studio.engine import main_memory
from studio.engine.adapters import attach
from studio.engine.dry_run.fake_model import outline
from studio.engine.dry_run.leaving import leaving
from studio.engine.dry_run.recorder import Recorder
from studio.engine.dry_run.rehearsal import load, rehearse, without_memory
from studio.engine.model_loading import load_model
from studio.engine.probe_run import load_probe_run
from studio.engine.resuming import fingerprint_of
from studio.protocol.events import RunFailed, StepFinished, Warned
from tests.engine import tiny
from tests.engine.helpers import Heard, of_kind, recipe_for, train
from tests.engine.test_dry_run import CARD, estimate, subject_of, take_step
from tests.engine.test_judged_methods import ROWS
from tests.engine.test_options_reach_the_trainer import Built
from tests.engine.test_resume import make_run

LAYERS, HIDDEN = 2, 64  # of the tiny models
KINDS = {
    "nf4": {"model__compute_dtype": "bf16"},
    "autocast": {"model__compute_dtype": "bf16", "lora__adapter_dtype": "fp32"},
    "bf16": {"model__precision": "bf16", "model__compute_dtype": "bf16"},
    "dropping": {"lora__dropout": 0.1},
    "packed": {"train__packing": True, "train__sequence_length": 128},
    "dora": {"lora__variant": "dora", "lora__adapter_dtype": "fp32"},
    "all weights": {"train__weights": "all", "model__precision": "fp32"},
    "accumulated": {"train__micro_batch": 2, "train__accumulation": 2},
}

PLAINLY = {
    "train__checkpointing": True,
    "train__max_steps": 3,
    "lora__dropout": 0.0,
    "model__precision": "fp32",
}


class Bytes:
    """A tensor as bytes, which no allocator of torch's holds."""

    def __init__(self, tensor):
        self.shape, self.dtype = tensor.shape, tensor.dtype
        self.content = tensor.detach().contiguous().view(torch.uint8).numpy().tobytes()

    def tensor(self):
        made = torch.empty(self.shape, dtype=self.dtype)
        flat = made.view(torch.uint8).numpy().reshape(-1)
        flat[:] = memoryview(self.content)
        return made


@pytest.fixture
def left(monkeypatch):
    """Let what leaves a card be kept as bytes; what left, in order."""
    found = []

    def leave(tensor):
        found.append((tuple(tensor.shape), tensor.dtype))
        return Bytes(tensor)

    def hooks(**_):
        return saved_tensors_hooks(leave, Bytes.tensor)

    monkeypatch.setattr(modeling_utils, "save_on_cpu", hooks)
    return found


def trained(folder, model, data, kind, *, offload):
    options = {"train__checkpointing": True, "train__max_steps": 3, **KINDS[kind]}
    recipe = recipe_for(model, data, train__offload=offload, **options)
    built = Built(folder, recipe)
    built.trainer.train()
    weights = {
        name: weight.detach().clone()
        for name, weight in built.run.model.named_parameters()
        if weight.requires_grad
    }
    return weights, of_kind(built.heard.events(), StepFinished)


@pytest.mark.parametrize("kind", KINDS)
def test_that_what_comes_back_trains_the_same_bit_for_bit(
    kind, tmp_path, tiny_model, chat_file, left
):
    plain, said = trained(tmp_path, tiny_model, chat_file, kind, offload=False)
    assert not left
    moved, told = trained(tmp_path, tiny_model, chat_file, kind, offload=True)
    assert plain.keys() == moved.keys()
    assert all(torch.equal(weight, moved[name]) for name, weight in plain.items())
    assert [each.loss for each in said] == [each.loss for each in told]


@pytest.mark.parametrize("kind", KINDS)
def test_that_one_hidden_state_a_layer_leaves_and_nothing_else(
    kind, tmp_path, tiny_model, chat_file, left
):
    trained(tmp_path, tiny_model, chat_file, kind, offload=True)
    times = KINDS[kind].get("train__accumulation", 1)
    assert len(left) == 3 * times * LAYERS
    assert {len(shape) for shape, _ in left} == {3}
    assert {shape[-1] for shape, _ in left} == {HIDDEN}


def step_of(subject, model, recorder, folder, monkeypatch):
    monkeypatch.setattr(modeling_utils, "save_on_cpu", leaving(recorder))
    return take_step(subject, recorder, model, folder)


@pytest.mark.parametrize(
    "options",
    [
        {"model__compute_dtype": "bf16"},
        {"model__precision": "bf16", "model__compute_dtype": "bf16"},
        {"lora__dropout": 0.1, "train__accumulation": 2},
    ],
)
def test_that_a_step_without_memory_allocates_what_a_real_one_does(
    options, tmp_path, tiny_qwen, left, monkeypatch
):
    subject = subject_of(tiny_qwen, train__offload=True, **options)
    recipe, formats = subject.recipe, subject.formats
    with Recorder() as recorder:
        model = load_model(tiny_qwen, recipe.model, formats, torch.device("cpu"))
        model = attach(model, recipe.lora)
        real = take_step(subject, recorder, model, tmp_path)
    assert len(left) == LAYERS
    bare = outline(subject.config, recipe.model, formats)
    with without_memory(subject) as recorder:
        model = load(bare, subject, recorder)
        assert step_of(subject, model, recorder, tmp_path, monkeypatch) == real


@pytest.mark.parametrize("length", [96, 128])
@pytest.mark.parametrize("kind", ["nf4", "bf16", "autocast"])
def test_that_all_but_one_state_is_gone_from_a_card_and_counted_in_main_memory(
    kind, length, tiny_qwen
):
    options = {**KINDS[kind], "train__sequence_length": length}
    plain = subject_of(tiny_qwen, CARD, **options)
    moved = subject_of(tiny_qwen, CARD, train__offload=True, **options)
    state = length * HIDDEN * 2
    before, after = estimate(plain), estimate(moved)
    phase = MemoryPhase.FORWARD.value
    saved = before.phase_peaks[phase] - after.phase_peaks[phase]
    assert saved == (LAYERS - 1) * state
    assert after.peak_bytes <= before.peak_bytes
    config = json.loads((tiny_qwen / "config.json").read_text())
    model = ModelArchitecture.from_config(config)
    held = rehearse(moved).main_bytes
    assert held == main_memory_bytes(model, moved.recipe) >= LAYERS * state
    assert rehearse(plain).main_bytes == main_memory_bytes(model, plain.recipe) == 0


@pytest.mark.parametrize("weights", ["adapter", "all"])
@pytest.mark.parametrize("offload", [False, True])
@pytest.mark.parametrize("method", ["sft", *ROWS])
def test_that_recomputation_never_reenters_and_stays_so_behind_a_reference(
    method, offload, weights, tmp_path, tiny_model, left
):
    rows = ROWS.get(method) or tiny.chats(18)
    data = tiny.write_chats(tmp_path / "rows.jsonl", rows)
    options = {"train__method": method, "train__weights": weights, **PLAINLY}
    recipe = recipe_for(tiny_model, data, train__offload=offload, **options)
    built = Built(tmp_path, recipe)
    built.trainer.train()
    model = built.run.model
    layers = getattr(model, "get_base_model", lambda: model)().model.layers
    assert len(layers) == LAYERS
    for layer in layers:
        assert layer.gradient_checkpointing
        assert layer._gradient_checkpointing_func.keywords == {"use_reentrant": False}
    # Nothing leaves where the reference answers.
    assert len(left) == (3 * LAYERS if offload else 0)
    built.heard.close()


def test_that_a_processor_refuses_it_before_anything_is_loaded(tmp_path, tiny_model):
    options = {"train__offload": True, "train__checkpointing": True}
    code, events = train(make_run(tmp_path, tiny_model, **options))
    assert code is ExitCode.BAD_INPUT
    (failed,) = of_kind(events, RunFailed)
    assert failed.kind == "device.no-offload"
    assert "without effect on a processor" in failed.message
    assert failed.advice == "Set train.offload to false."


def test_that_nothing_is_rehearsed_or_measured_for_a_processor(tmp_path, tiny_model):
    subject = subject_of(tiny_model, train__offload=True)
    with pytest.raises(StudioError, match="without effect on a processor"):
        rehearse(subject)
    heard = Heard()
    session = heard.session
    with pytest.raises(StudioError, match="without effect on a processor"):
        load_probe_run(session, session, subject.recipe, tiny_model, tmp_path)
    heard.close()


@pytest.mark.parametrize(("free", "told"), [(1 << 40, []), (1000, ["0.00 GiB"])])
def test_that_main_memory_that_is_short_is_told(
    free, told, tmp_path, tiny_model, chat_file, monkeypatch
):
    options = {"train__offload": True, "train__checkpointing": True}
    built = Built(tmp_path, recipe_for(tiny_model, chat_file, **options))
    memory = SimpleNamespace(available=free)
    monkeypatch.setattr(main_memory.psutil, "virtual_memory", lambda: memory)
    main_memory.warn_of_main_memory(built.run)
    warned = of_kind(built.heard.events(), Warned)
    assert [each.finding.code for each in warned] == ["recipe.offload-short"] * len(
        told
    )
    for each, words in zip(warned, told, strict=True):
        assert f"and {words} are free" in each.finding.what


def test_that_layers_that_are_not_recomputed_are_no_candidates():
    recipe = Recipe().with_value("train.offload", True)
    assert not recipe.contradictions()
    (finding,) = recipe.with_value("train.checkpointing", False).contradictions()
    assert finding.where == "train.offload"
    assert "train.checkpointing" in finding.how_to_fix


def test_that_a_run_is_still_the_same_one(tiny_model):
    def of(**values):
        recipe = Recipe().with_values({f"train.{k}": v for k, v in values.items()})
        return fingerprint_of(recipe, "", tiny_model, "cuda").recipe

    assert of() == of(offload=True)
    assert of() != of(seed=7)
