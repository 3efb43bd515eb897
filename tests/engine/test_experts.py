"""Mixtures of experts: trained in every format, on cards with and without bf16."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers.integrations import moe

from studio.domain.adapter_findings import DORA_ON_EXPERTS
from studio.domain.errors import ExitCode, StudioError
from studio.domain.expert_findings import DROPOUT_ON_EXPERTS
from studio.domain.recipe_options import LoraOptions, LoraVariant
from studio.engine.adapter_files import put_adapter
from studio.engine.adapters import attach
from studio.engine.base_files import WEIGHTS
from studio.engine.devices import formats_of
from studio.engine.dry_run.rehearsal import rehearse
from studio.engine.model_loading import load_model, load_plain
from studio.protocol.events import EvalFinished, RunFailed
from tests.engine import tiny
from tests.engine.helpers import carry_out, new_run, of_kind, recipe_for, train
from tests.engine.test_dry_run import CARD, fake_step, real_step, subject_of

# A remark of transformers for models that come without a generation config.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*generation:UserWarning"),
    # peft 0.21 looks for the rank of fused experts among modules; they are parameters.
    pytest.mark.filterwarnings("ignore:The following .*_pattern keys:RuntimeWarning"),
]

CPU = torch.device("cpu")
ATTENTION = ("q_proj", "v_proj")
FORMATS = {
    "nf4, fp32": {},
    "nf4, bf16": {"model__compute_dtype": "bf16"},
    "fp32": {"model__precision": "fp32", "lora__adapter_dtype": "fp32"},
    "fp32, autocast": {"model__precision": "fp32", "model__compute_dtype": "bf16"},
}


@pytest.fixture(scope="session")
def mixtures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixtures")
    return {name: tiny.make_mixture(folder / name, name) for name in tiny.MIXTURES}


def trained(folder, model, data, **options):
    options = {"train__max_steps": 5, "data__prompts": (), **options}
    run = new_run(folder / "runs", recipe_for(model, data, **options))
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    return run, [event.loss for event in of_kind(events, EvalFinished)]


@pytest.fixture
def without_grouped_product(monkeypatch):
    """As on a card older than Ampere: transformers goes from expert to expert."""
    monkeypatch.setattr(moe, "_can_use_grouped_mm", lambda *_: False)


@pytest.mark.parametrize("formats", FORMATS)
def test_that_a_mixture_learns_in_every_format(mixtures, formats, chat_file, tmp_path):
    options = FORMATS[formats]
    _, (before, after) = trained(tmp_path, mixtures["mixtral"], chat_file, **options)
    assert after < before - 0.4


@pytest.mark.parametrize("family", ["olmoe", "qwen3_moe"])
def test_that_every_family_of_mixtures_learns(mixtures, family, chat_file, tmp_path):
    _, (before, after) = trained(tmp_path, mixtures[family], chat_file)
    assert after < before - 0.4


def test_that_an_old_card_s_way_learns_the_same(
    mixtures, chat_file, tmp_path, monkeypatch
):
    options = {"model__precision": "fp32", "lora__adapter_dtype": "fp32"}
    _, grouped = trained(tmp_path, mixtures["mixtral"], chat_file, **options)
    monkeypatch.setattr(moe, "_can_use_grouped_mm", lambda *_: False)
    _, looped = trained(tmp_path, mixtures["mixtral"], chat_file, **options)
    assert looped == pytest.approx(grouped, abs=1e-4)


def test_that_dora_is_refused_on_experts_and_taken_on_attention(mixtures):
    model = load_plain(mixtures["mixtral"], torch.float32)
    with pytest.raises(StudioError) as refused:
        attach(model, LoraOptions(variant=LoraVariant.DORA))
    assert refused.value.finding == DORA_ON_EXPERTS
    model = load_plain(mixtures["mixtral"], torch.float32)
    options = LoraOptions(variant=LoraVariant.DORA, targets=("attention-only",))
    names = dict(attach(model, options).named_parameters())
    assert any("lora_magnitude_vector" in name for name in names)


STEPS = [
    {"model__precision": "fp32", "lora__adapter_dtype": "fp32"},
    {"model__compute_dtype": "bf16", "train__checkpointing": False},
    {"lora__targets": ATTENTION, "lora__dropout": 0.1},
]


@pytest.mark.parametrize("options", STEPS, ids=str)
def test_that_a_mixture_without_memory_allocates_what_a_real_one_does(
    mixtures, options, tmp_path
):
    subject = subject_of(mixtures["mixtral"], **options)
    real = real_step(subject, mixtures["mixtral"], tmp_path)
    assert fake_step(subject, tmp_path) == real


@pytest.mark.usefixtures("without_grouped_product")
@pytest.mark.parametrize("options", STEPS, ids=str)
def test_that_so_it_does_in_an_old_card_s_way(mixtures, options, tmp_path):
    subject = subject_of(mixtures["olmoe"], **options)
    real = real_step(subject, mixtures["olmoe"], tmp_path)
    assert fake_step(subject, tmp_path) == real


def test_that_dropout_on_experts_is_refused_in_one_sentence(
    mixtures, chat_file, tmp_path
):
    recipe = recipe_for(mixtures["olmoe"], chat_file, lora__dropout=0.1)
    code, events = train(new_run(tmp_path / "runs", recipe))
    assert code is ExitCode.BAD_INPUT
    (failed,) = of_kind(events, RunFailed)
    assert DROPOUT_ON_EXPERTS.what in failed.message
    assert DROPOUT_ON_EXPERTS.how_to_fix in failed.advice
    with pytest.raises(StudioError) as refused:
        rehearse(subject_of(mixtures["olmoe"], CARD, lora__dropout=0.1))
    assert refused.value.finding == DROPOUT_ON_EXPERTS


def test_that_answers_on_a_card_copy_no_expert(mixtures, monkeypatch):
    recipe = recipe_for(mixtures["mixtral"], "any")
    subject = subject_of(mixtures["mixtral"])
    model = load_model(mixtures["mixtral"], recipe.model, subject.formats, CPU)
    used = model.get_experts_implementation()
    monkeypatch.setattr(type(model), "device", torch.device("cuda"))
    with model._optimize_model_for_decode():
        assert model.get_experts_implementation() == used
    assert "batched_mm" not in used.values()


def test_that_a_mixture_in_4_bits_is_merged_into_what_they_stood_for(
    mixtures, chat_file, tmp_path
):
    """Its experts stay in 16 bits, and so are added to as they are."""
    base = mixtures["qwen3_moe"]
    options = {"lora__variant": "loftq", "lora__adapter_dtype": "fp32"}
    run, _ = trained(tmp_path, base, chat_file, **options)
    recipe = run.read_recipe()
    out = tmp_path / "merged"
    code, events = carry_out(
        "merge", run=run.path, out=out, dtype="fp32", overwrite=False
    )
    assert code is ExitCode.OK, events[-1]
    held = load_model(base, recipe.model, formats_of(recipe, CPU), CPU)
    tokens = torch.arange(3, 60).unsqueeze(0)
    with torch.no_grad():
        both = put_adapter(held, run.adapter_path)(tokens).logits
        merged = load_plain(out, torch.float32)(tokens).logits
    assert (merged - both).abs().max() < 1e-4


def test_that_a_merged_mixture_says_what_base_and_adapter_say(
    mixtures, chat_file, tmp_path
):
    base = mixtures["qwen3_moe"]
    run, _ = trained(tmp_path, base, chat_file)
    out = tmp_path / "merged"
    code, events = carry_out(
        "merge", run=run.path, out=out, dtype="fp32", overwrite=False
    )
    assert code is ExitCode.OK, events[-1]
    tokens = torch.arange(3, 60).unsqueeze(0)
    with torch.no_grad():
        plain = load_plain(base, torch.float32)
        alone = plain(tokens).logits
        both = put_adapter(plain, run.adapter_path)(tokens).logits
        merged = load_plain(out, torch.float32)(tokens).logits
    assert (merged - both).abs().max() < 1e-4
    assert (merged - alone).abs().max() > 0.1


@pytest.fixture(scope="module")
def handed_on(mixtures, tmp_path_factory):
    """A mixture that was trained, exported and judged."""
    folder = tmp_path_factory.mktemp("handed-on")
    options = {"train__max_steps": 20, "train__learning_rate": 0.005}
    data = tiny.write_chats(folder / "chats.jsonl")
    run, _ = trained(folder, mixtures["olmoe"], data, **options)
    given = {"dtype": "bf16", "form": "", "overwrite": False}
    given |= {"to": ["merged"], "even_if_different": False}
    code, events = carry_out("export", run=run.path, out=folder / "out", **given)
    assert code is ExitCode.OK, events[-1]
    return run, folder / "out" / "merged"


def test_that_an_exported_mixture_is_proven(handed_on):
    _, merged = handed_on
    told = json.loads((merged / "parity.json").read_text())
    assert told["proven"]
    assert told["learnt"]["mean_kl"] > 100 * told["distance"]["mean_kl"]


def test_that_a_mixture_with_one_expert_unmerged_is_caught(
    handed_on, mixtures, tmp_path
):
    run, merged = handed_on
    spoilt = shutil.copytree(merged, tmp_path / "spoilt")
    weights = load_file(spoilt / WEIGHTS)
    own = load_file(mixtures["olmoe"] / WEIGHTS)
    for name in weights:
        if ".experts.1." in name:
            weights[name] = own[name].to(weights[name].dtype)
    save_file(weights, spoilt / WEIGHTS, metadata={"format": "pt"})
    code, events = carry_out("verify", run=run.path, artefact=spoilt)
    assert code is ExitCode.OK, events[-1]
    assert not events[-1].is_proven


def test_that_what_is_trained_beside_experts_is_merged_with_them(
    mixtures, chat_file, tmp_path
):
    base = mixtures["mixtral"]
    options = {"lora__train_norms": True, "lora__train_embeddings": True}
    run, _ = trained(tmp_path, base, chat_file, **options)
    code, events = carry_out(
        "merge", run=run.path, out=tmp_path / "merged", dtype="fp32", overwrite=False
    )
    assert code is ExitCode.OK, events[-1]
    adapted = put_adapter(load_plain(base, torch.float32), run.adapter_path)
    expected = adapted.merge_and_unload().state_dict()
    found = load_plain(tmp_path / "merged", torch.float32).state_dict()
    own = load_plain(base, torch.float32).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)
    changed = {name for name in found if not torch.equal(found[name], own[name])}
    assert changed == found.keys()
