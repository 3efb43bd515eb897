"""Nothing drops where a model is compared with itself, however it keeps the share."""

import json
from contextlib import closing

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM
from trl.trainer.utils import disable_dropout_in_model

from studio.domain.errors import ExitCode
from studio.engine.dropout_off import turn_off_dropout
from studio.engine.methods import training
from studio.engine.model_places import place_of
from studio.protocol.events import RunResumed, StepFinished
from tests.engine import tiny
from tests.engine.helpers import (
    Heard,
    carry_out,
    new_run,
    of_kind,
    recipe_for,
    train,
)
from tests.engine.test_judged_methods import ROWS, batch_of, reference, spoil

pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:.*generation:UserWarning"),
]

# What each family calls its share, and where it keeps it; other shares are 0.
STARCODER = {"attn_pdrop": 0.5, "resid_pdrop": 0.0, "embd_pdrop": 0.0}
LLAMA = {"attention_dropout": 0.5}
NUMBERS = {
    "of StarCoder's attention": ("gpt_bigcode", STARCODER),
    "of Llama's attention": ("llama", LLAMA),
    "of StarCoder 2's blocks": ("starcoder2", {"residual_dropout": 0.5}),
    "of OPT's layers": ("opt", {"layerdrop": 0.5, "dropout": 0.0}),
    "of Persimmon's config": ("persimmon", LLAMA),
    "of Falcon's config": ("falcon", {"hidden_dropout": 0.5}),
}
COMPARED = {"starcoder": ("gpt_bigcode", STARCODER), "llama": ("llama", LLAMA)}


def made(family, shares):
    """A tiny model that trains, loud enough to tell what was dropped."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(family, **tiny.SHAPE, vocab_size=99, **shares)
    model = AutoModelForCausalLM.from_config(config).train()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(0, 0.1)
    return model


def is_certain(model):
    """Whether a model in training says the same three times."""
    ids = torch.arange(3, 27).reshape(2, 12)
    with torch.no_grad():
        first, *others = (model(input_ids=ids).logits for _ in range(3))
    return all(torch.equal(first, other) for other in others)


@pytest.mark.parametrize("place", NUMBERS)
def test_that_no_number_drops_anything(place):
    model = made(*NUMBERS[place])
    disable_dropout_in_model(model)
    assert not is_certain(model)
    turn_off_dropout(model)
    assert is_certain(model)


@pytest.mark.parametrize("module", [torch.nn.Dropout, torch.nn.AlphaDropout])
def test_that_no_module_drops_anything(module):
    sequence = torch.nn.Sequential(module(0.5)).train()
    turn_off_dropout(sequence)
    asked = torch.ones(64)
    assert torch.equal(sequence(asked), asked)


@pytest.mark.parametrize("family", COMPARED)
def test_that_adapters_drop_nothing_either(family):
    adapter = LoraConfig(
        lora_dropout=0.5, target_modules="all-linear", init_lora_weights=False
    )
    model = get_peft_model(made(*COMPARED[family]), adapter)
    assert not is_certain(model)
    turn_off_dropout(model)
    assert is_certain(model)


@pytest.mark.parametrize("place", NUMBERS)
def test_that_a_config_is_saved_as_it_was(place, tmp_path):
    family, shares = NUMBERS[place]
    model = made(family, shares)
    model.save_pretrained(tmp_path / "before")
    turn_off_dropout(model)
    turn_off_dropout(model)  # a trial and its run do so both
    model.save_pretrained(tmp_path / "after")
    before, after = (
        (tmp_path / name / "config.json").read_text() for name in ("before", "after")
    )
    assert after == before
    assert json.loads(after).items() >= shares.items()


def test_that_a_config_is_still_one_for_all_layers():
    model = made("persimmon", LLAMA)
    told = model.config
    turn_off_dropout(model)
    layer = model.model.layers[0].self_attn
    model.config.use_cache = False
    assert told.use_cache is False
    assert layer.config is model.config
    assert layer.config.attention_dropout == 0
    assert type(layer.config).__name__ == "PersimmonConfig"
    layer.config.attention_dropout = 0.25
    assert told.attention_dropout == 0.25


@pytest.fixture(scope="module")
def dropping(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dropping")
    return {
        name: tiny.make_of(folder / name, family, **shares)
        for name, (family, shares) in COMPARED.items()
    }


def asked(model, method, folder, **options):
    rows = ROWS.get(method) or tiny.chats()
    file = tiny.write_chats(folder / f"{method}.jsonl", rows)
    return recipe_for(model, file, train__method=method, **options)


@pytest.fixture
def ready(tmp_path):
    """Load a recipe's run, make its trainer, and let it train and say something."""
    heard = Heard()

    def make(recipe):
        place = place_of(recipe.model.name)
        run = training.load_run(heard.session, new_run(tmp_path, recipe), recipe, place)
        trainer = training.build_trainer(run)
        run.model.train()
        spoil(run)
        return run, trainer

    with closing(heard):
        yield make


def said(run, trainer):
    """Of one batch in training: the reference's log-likelihoods, and the loss."""
    batch = batch_of(run, trainer)
    with torch.no_grad():
        return reference(trainer, run, batch), trainer.compute_loss(run.model, batch)


@pytest.mark.parametrize("method", ["dpo", "kto"])
@pytest.mark.parametrize("family", COMPARED)
def test_that_chance_tells_no_model_from_itself(
    family, method, dropping, ready, tmp_path
):
    run, trainer = ready(asked(dropping[family], method, tmp_path))
    assert is_certain(run.model)
    for first, again in zip(said(run, trainer), said(run, trainer), strict=True):
        assert torch.equal(first, again)


@pytest.mark.parametrize("method", ["dpo", "kto"])
@pytest.mark.parametrize("family", COMPARED)
def test_that_trl_alone_leaves_it_to_chance(
    family, method, dropping, ready, tmp_path, monkeypatch
):
    monkeypatch.setattr(training, "turn_off_dropout", lambda model: None)
    run, trainer = ready(asked(dropping[family], method, tmp_path))
    assert not is_certain(run.model)
    for first, again in zip(said(run, trainer), said(run, trainer), strict=True):
        assert not torch.equal(first, again)


@pytest.mark.parametrize("method", ["sft", "orpo"])
@pytest.mark.parametrize("family", COMPARED)
def test_that_other_methods_drop_as_the_model_does(
    family, method, dropping, ready, tmp_path
):
    run, _ = ready(asked(dropping[family], method, tmp_path))
    assert not is_certain(run.model)


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_that_a_run_goes_on_exactly_and_its_merge_keeps_the_share(
    method, dropping, tmp_path, cut_at
):
    model = dropping["starcoder"]
    options = {"train__save_steps": 1, "train__checkpointing": True}
    straight, broken = (
        new_run(tmp_path, asked(model, method, tmp_path, **options)) for _ in range(2)
    )
    code, events = train(straight)
    assert code is ExitCode.OK, events[-1]
    cut_at(2)
    assert train(broken)[0] is not ExitCode.OK
    code, events = train(broken, resume=True)
    assert code is ExitCode.OK, events[-1]
    assert of_kind(events, RunResumed)
    assert [each.step for each in of_kind(events, StepFinished)][-1] == 4
    assert adapter(broken) == adapter(straight)
    out = tmp_path / "merged"
    code, events = carry_out(
        "merge", run=straight.path, out=out, dtype="fp32", overwrite=False
    )
    assert code is ExitCode.OK, events[-1]
    config = json.loads((out / "config.json").read_text())
    base = json.loads((model / "config.json").read_text())
    assert {key: config[key] for key in STARCODER} == STARCODER
    assert {key: base[key] for key in STARCODER} == STARCODER


def adapter(run):
    return (run.adapter_path / "adapter_model.safetensors").read_bytes()
