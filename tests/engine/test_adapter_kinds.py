"""Each kind of adapter learns, and says the same saved, loaded again, and merged."""

from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from studio.domain.errors import ExitCode
from studio.engine.adapter_files import put_adapter
from studio.engine.devices import formats_of
from studio.engine.methods import training
from studio.engine.model_loading import load_model, load_plain
from studio.engine.model_places import place_of
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.events import RunFinished
from studio.protocol.export_events import Merged
from tests.engine.helpers import Heard, carry_out, new_run, of_kind, recipe_for, train

pytestmark = pytest.mark.torch

CPU = torch.device("cpu")
PROMPTS = [f"Which cheese is number {number}?" for number in range(4)]
PLAIN = {"model__precision": "fp32", "lora__adapter_dtype": "fp32"}
KINDS = {
    "attention": {"lora__targets": ("attention-only",)},
    "mlp": {"lora__targets": ("mlp-only",)},
    "dora": {"lora__variant": "dora"},
}
# Precision of the base, and how far 32-bit arithmetic in another order may be off.
BASES = {"fp32": PLAIN, "nf4": {"lora__adapter_dtype": "fp32"}}


def logits(model, tokenizer):
    model.eval()
    found = []
    for prompt in PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
        with torch.no_grad():
            found.append(model(input_ids=ids.input_ids).logits)
    return torch.cat(found, dim=1)


def off(one, other):
    return (one - other).abs().max().item()


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.fixture(scope="module", params=BASES)
def trained(request, kind, tmp_path_factory, tiny_models, chats_once):
    """A run that has ended, with what its model said of the prompts at its end."""
    folder = tmp_path_factory.mktemp("kinds")
    model = tiny_models[request.param]
    options = {"train__max_steps": 8, **BASES[request.param], **kind}
    recipe = recipe_for(model, chats_once, **options)
    heard = Heard()
    run = training.load_run(
        heard.session, new_run(folder, recipe), recipe, place_of(str(model))
    )
    before = logits(run.model, run.tokenizer)
    trainer = training.build_trainer(run)
    trainer.train()
    run.finish(8, stopped=False)
    assert of_kind(heard.events(), RunFinished)
    after = logits(run.model, run.tokenizer)
    return SimpleNamespace(
        run=run.directory, model=model, recipe=recipe, before=before, after=after
    )


@pytest.fixture(scope="module")
def tiny_models(tiny_model, tiny_qwen):
    """One with a head of its own, and one that shares its embedding's weights."""
    return {"fp32": tiny_qwen, "nf4": tiny_model}


@pytest.fixture(scope="module")
def chats_once(tmp_path_factory):
    from tests.engine import tiny

    return tiny.write_chats(tmp_path_factory.mktemp("data") / "chats.jsonl")


def test_that_what_is_learnt_changes_the_answers(trained):
    assert off(trained.after, trained.before) > 0.1


def test_that_an_adapter_loaded_again_says_what_it_said_at_the_end(trained):
    formats = formats_of(trained.recipe, CPU)
    base = load_model(trained.model, trained.recipe.model, formats, CPU)
    again = put_adapter(base, trained.run.adapter_path)
    said = logits(again, load_tokenizer(trained.run.adapter_path))
    assert off(said, trained.after) < 1e-5


def test_that_a_merged_model_says_what_base_and_adapter_say(trained, tmp_path):
    code, events = carry_out(
        "merge",
        run=trained.run.path,
        out=tmp_path / "merged",
        dtype="fp32",
        overwrite=False,
    )
    assert code is ExitCode.OK, events[-1]
    assert of_kind(events, Merged)
    tokenizer = load_tokenizer(tmp_path / "merged")
    merged = logits(load_plain(tmp_path / "merged", torch.float32), tokenizer)
    base = load_plain(trained.model, torch.float32)
    plain = logits(base, tokenizer)
    apart = logits(put_adapter(base, trained.run.adapter_path), tokenizer)
    assert off(merged, apart) < 1e-4
    assert off(merged, plain) > 0.1


def test_that_the_card_names_the_kind_of_adapter(trained, kind):
    card = (trained.run.adapter_path / "README.md").read_text()
    for name, value in kind.items():
        key = name.replace("__", ".")
        (row,) = [line for line in card.splitlines() if line.startswith(f"| {key} ")]
        told = trained.recipe.value(key)
        assert (value[0] if isinstance(value, tuple) else str(told)) in row


@pytest.mark.parametrize("base", ["nf4", "bf16"])
@pytest.mark.parametrize("kind_", ["attention", "dora"])
def test_that_an_adapter_is_read_back_with_the_digits_it_was_saved_with(
    base, kind_, tmp_path, tiny_qwen, chats_once
):
    options = {
        "model__precision": base,
        "model__compute_dtype": "bf16",
        "lora__adapter_dtype": "fp32",
        **KINDS[kind_],
    }
    recipe = recipe_for(tiny_qwen, chats_once, **options)
    run = new_run(tmp_path, recipe)
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    saved = load_file(run.adapter_path / "adapter_model.safetensors")
    model = put_adapter(
        load_model(tiny_qwen, recipe.model, formats_of(recipe, CPU), CPU),
        run.adapter_path,
    )
    read = {
        name.replace(".default", ""): weight
        for name, weight in model.named_parameters()
        if ".lora_" in name
    }
    assert len(read) == len(saved)
    for name, weight in saved.items():
        held = read[name] if name in read else read[f"{name}.weight"]
        assert torch.equal(held, weight), name
