"""PiSSA starts as its base, and hands over an adapter that fits the base as it is."""

import json
from contextlib import closing
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from studio.domain.errors import ExitCode, StudioError
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import LoraVariant
from studio.engine import answering
from studio.engine.adapter_files import put_adapter
from studio.engine.adapters import attach
from studio.engine.base_files import BaseTensors
from studio.engine.devices import formats_of
from studio.engine.methods import training
from studio.engine.model_loading import load_model, load_plain
from studio.engine.model_places import place_of
from studio.engine.starting import pissa
from studio.engine.starting.begin import begin_adapter
from studio.engine.starting.held_layers import held_by
from studio.engine.starting.layers import adapted_layers, base_of, factors_of
from studio.engine.starting.pissa import hold_as_trained, start_of
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.export_events import Merged
from tests.engine import tiny
from tests.engine.helpers import Heard, carry_out, new_run, recipe_for, train
from tests.engine.test_adapter_kinds import CPU, logits, off

pytestmark = pytest.mark.torch

RANK = 16
PISSA = {
    "lora__variant": "pissa",
    "lora__rank": RANK,
    "lora__adapter_dtype": "fp32",
}
BASES = {
    "fp32": {"model__precision": "fp32"},
    "bf16": {"model__precision": "bf16", "model__compute_dtype": "bf16"},
    "nf4": {"model__precision": "nf4"},
    "fp4, single": {"model__precision": "fp4", "model__double_quant": False},
    "int8": {"model__precision": "int8"},
}
# Where sums in another order are off by more than 32 bits are: in 16 bits, and where
# inputs are rounded to 8 on their way.
COARSE = {"bf16": 0.1, "int8": 0.03}


def tolerance(recipe):
    return COARSE.get(recipe.model.precision.value, 1e-4)


def begun(folder, model, **options):
    data = tiny.write_chats(folder / "chats.jsonl")
    options = {**PISSA, **options}
    recipe = recipe_for(model, data, train__max_steps=8, **options)
    run = new_run(folder, recipe)
    with closing(Heard()) as heard:
        return training.load_run(heard.session, run, recipe, place_of(str(model)))


def base_as_loaded(run, model):
    return load_model(model, run.recipe.model, formats_of(run.recipe, CPU), CPU)


@pytest.fixture(scope="module", params=BASES)
def trained(request, tmp_path_factory, tiny_qwen):
    folder = tmp_path_factory.mktemp("pissa")
    data = tiny.write_chats(folder / "chats.jsonl")
    options = {**PISSA, **BASES[request.param]}
    recipe = recipe_for(tiny_qwen, data, train__max_steps=8, **options)
    with closing(Heard()) as heard:
        directory = new_run(folder, recipe)
        run = training.load_run(
            heard.session, directory, recipe, place_of(str(tiny_qwen))
        )
        layers = [
            (name, held_by(base_of(layer)), layer.get_delta_weight("default").float())
            for name, layer in adapted_layers(run.model)
        ]
        before = logits(run.model, run.tokenizer)
        training.build_trainer(run).train()
        run.finish(8, stopped=False)
        after = logits(run.model, run.tokenizer)
        return SimpleNamespace(run=run, layers=layers, before=before, after=after)


def test_that_each_adapter_starts_as_the_principal_part_of_its_layer(
    trained, tiny_qwen
):
    """Eckart and Young (1936): no product of its rank is closer."""
    plain = load_plain(tiny_qwen, torch.float32)
    assert trained.layers
    for name, _, delta in trained.layers:
        weight = plain.get_parameter(f"{name}.weight")
        best = torch.linalg.svdvals(weight)[RANK:].norm()
        assert (weight - delta).norm() <= 1.01 * best


def test_that_a_quantised_rest_is_closer_than_a_quantised_whole(trained, tiny_qwen):
    """Section 4 of the paper: the rest spreads less, so less of it is lost."""
    plain = load_plain(tiny_qwen, torch.float32)
    whole = dict(base_as_loaded(trained.run, tiny_qwen).named_modules())
    lost = lost_whole = 0.0
    for name, rest, delta in trained.layers:
        weight = plain.get_parameter(f"{name}.weight").detach()
        lost += (weight - rest - delta).norm().item() ** 2
        lost_whole += (weight - held_by(whole[name])).norm().item() ** 2
    if trained.run.recipe.model.precision.is_quantized:
        assert lost < lost_whole
    else:
        # In a plain format the sum is rounded once, at the base's own precision.
        step = torch.finfo(trained.run.formats.load).eps
        weights = sum(
            plain.get_parameter(f"{name}.weight").detach().norm().item() ** 2
            for name, *_ in trained.layers
        )
        assert lost <= step**2 * weights


def test_that_it_says_what_its_base_says_before_the_first_step(trained, tiny_qwen):
    plain = logits(load_plain(tiny_qwen, torch.float32), trained.run.tokenizer)
    if not trained.run.recipe.model.precision.is_quantized:
        assert off(trained.before, plain) < tolerance(trained.run.recipe)
        return
    quantised = logits(base_as_loaded(trained.run, tiny_qwen), trained.run.tokenizer)
    assert (trained.before - plain).norm() < (quantised - plain).norm()


def test_that_the_adapter_on_the_plain_base_says_what_was_trained(trained, tiny_qwen):
    """But for what quantising the rest lost, which is no part of the adapter."""
    path = trained.run.directory.adapter_path
    base = load_plain(tiny_qwen, torch.float32)
    plain = logits(base, trained.run.tokenizer)
    said = logits(put_adapter(base, path), load_tokenizer(path))
    if trained.run.recipe.model.precision.is_quantized:
        lost = (trained.before - plain).norm()
        learnt = (trained.after - trained.before).norm()
        assert (said - trained.after).norm() < 2 * lost < learnt
    else:
        assert off(said, trained.after) < tolerance(trained.run.recipe)
    assert off(trained.after, trained.before) > 0.5


def test_that_the_base_as_it_was_trained_can_be_had_again(trained, tiny_qwen):
    path = trained.run.directory.adapter_path
    model = put_adapter(base_as_loaded(trained.run, tiny_qwen), path)
    hold_as_trained(model, tiny_qwen)
    said = logits(model, load_tokenizer(path))
    assert off(said, trained.after) < tolerance(trained.run.recipe)


def test_that_what_is_handed_over_is_a_plain_adapter_of_twice_the_rank(trained):
    path = trained.run.directory.adapter_path
    config = json.loads((path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"]) == (2 * RANK, 2 * 32)
    assert config["init_lora_weights"] is True
    assert config["base_model_name_or_path"] == "tiny-qwen"
    for name, weight in load_file(path / "adapter_model.safetensors").items():
        assert weight.shape[0 if "lora_A" in name else 1] == 2 * RANK
        assert weight.dtype == trained.run.formats.adapter
    card = (path / "README.md").read_text()
    assert f"PiSSA trained it at rank {RANK}. It is LoRA of rank {2 * RANK}" in card


def test_that_the_start_is_kept_to_the_bit(trained):
    kept = start_of(trained.run.directory.adapter_path)
    assert kept.keys() == trained.run.start.keys()
    for name, factors in trained.run.start.items():
        assert all(map(torch.equal, factors, kept[name]))


def test_that_a_merged_model_is_the_plain_base_with_what_was_learnt(
    trained, tiny_qwen, tmp_path
):
    run, out = trained.run.directory, tmp_path / "merged"
    code, events = carry_out(
        "merge", run=run.path, out=out, dtype="fp32", overwrite=False
    )
    assert code is ExitCode.OK, events[-1]
    assert isinstance(events[-1], Merged)
    assert "PiSSA trained it" not in (out / "README.md").read_text()
    apart = put_adapter(load_plain(tiny_qwen, torch.float32), run.adapter_path)
    merged = load_plain(out, torch.float32)
    tokenizer = load_tokenizer(out)
    assert off(logits(merged, tokenizer), logits(apart, tokenizer)) < 1e-4
    code, events = carry_out("verify", run=run.path, artefact=out)
    assert code is ExitCode.OK, events[-1]
    assert json.loads((out / "parity.json").read_text())["findings"] == []


def test_that_it_can_be_asked(trained, monkeypatch):
    """What is asked is the model as it was trained, its base's rest included."""
    asked = []

    def listen(model, tokenizer, prompts, *_):
        asked.append(logits(model, tokenizer))
        return [(prompt, "Aye.") for prompt in prompts]

    monkeypatch.setattr(answering, "answers", listen)
    code, events = carry_out(
        "generate",
        source=trained.run.directory.path,
        prompt=["Which cheese is number 7?"],
        max_new_tokens=4,
        base=False,
    )
    assert code is ExitCode.OK, events[-1]
    (said,) = asked
    assert off(said, trained.after) < tolerance(trained.run.recipe)


def test_that_the_random_state_is_a_plain_adapters(tmp_path, tiny_qwen):
    begun(tmp_path, tiny_qwen, lora__variant="lora")
    plain = torch.get_rng_state()
    begun(tmp_path, tiny_qwen)
    assert torch.equal(torch.get_rng_state(), plain)


def test_that_a_rank_beyond_the_layers_own_leaves_nothing_to_the_base(
    tmp_path, tiny_qwen
):
    run = begun(tmp_path, tiny_qwen, lora__rank=256, model__precision="fp32")
    for name, layer in adapted_layers(run.model):
        rest = held_by(base_of(layer)).norm()
        whole = layer.get_delta_weight("default").norm()
        assert rest < 0.02 * whole, name


def test_that_going_on_never_decomposes_again(tmp_path, tiny_qwen, cut_at, monkeypatch):
    data = tiny.write_chats(tmp_path / "chats.jsonl")
    run = new_run(tmp_path, recipe_for(tiny_qwen, data, train__save_steps=2, **PISSA))
    cut_at(3)
    assert train(run)[0] is not ExitCode.OK
    monkeypatch.setattr(pissa, "start_from", None)
    code, events = train(run, resume=True)
    assert code is ExitCode.OK, events[-1]


@pytest.mark.filterwarnings("ignore:fan_in_fan_out")
@pytest.mark.parametrize("precision", ["fp32", "nf4"])
def test_that_transposed_layers_are_split_alike(precision, tmp_path):
    from tests.engine.test_streamed_merge import base_of as model_of

    folder = model_of(tmp_path / "base", "gpt2")
    options = {"model__precision": precision, "lora__variant": "pissa"}
    recipe = recipe_for(folder, "any", **options)
    plain = load_plain(folder, torch.float32)
    model = attach(
        load_model(folder, recipe.model, formats_of(recipe, CPU), CPU), recipe.lora
    )
    with closing(Heard()) as heard:
        begin_adapter(heard.session, model, folder, recipe)
    ids = torch.arange(24)[None]
    with torch.no_grad():
        said, expected = model(input_ids=ids).logits, plain(input_ids=ids).logits
    assert off(said, expected) < {"fp32": 1e-4, "nf4": 0.2}[precision]
    for name, layer in adapted_layers(model):
        assert factors_of(layer).product(4.0).norm() > 0, name


def test_that_half_precision_holds_the_start_to_the_bit(tiny_qwen):
    recipe = Recipe().with_values(
        {"lora.variant": LoraVariant.PISSA, "lora.targets": ("q_proj",)}
    )
    model = attach(load_plain(tiny_qwen, torch.float16), recipe.lora)
    with closing(Heard()) as heard:
        start = begin_adapter(heard.session, model, tiny_qwen, recipe)
    for name, layer in adapted_layers(model):
        assert layer.lora_A["default"].weight.dtype is torch.float32
        for now, then in zip(factors_of(layer), start[name], strict=True):
            assert torch.equal(now, then)


def test_that_weights_that_serve_twice_are_refused(tiny_qwen):
    base = load_plain(tiny_qwen, torch.float32)
    one, other = (layer.self_attn.q_proj for layer in base.model.layers[:2])
    one.weight = other.weight
    options = {"lora.variant": LoraVariant.PISSA}
    recipe = Recipe().with_values(options)
    model = attach(base, recipe.lora)
    with (
        closing(Heard()) as heard,
        pytest.raises(StudioError, match="q_proj, whose weights serve another layer"),
    ):
        begin_adapter(heard.session, model, tiny_qwen, recipe)


def test_that_quantised_weights_without_an_original_are_refused(
    tmp_path, tiny_qwen, monkeypatch
):
    monkeypatch.setattr(BaseTensors, "read", lambda *_: None)
    with pytest.raises(StudioError, match="can’t find the unquantised weights"):
        begun(tmp_path, tiny_qwen)


@pytest.mark.filterwarnings("ignore:The following .*_pattern keys:RuntimeWarning")
def test_that_experts_are_refused(tmp_path):
    model = tmp_path / "mixture"
    tiny.make_mixture(model, "mixtral")
    options = Recipe().with_value("lora.variant", "pissa").lora
    with pytest.raises(StudioError, match="experts"):
        attach(load_plain(model, torch.float32), options)


def test_that_dropping_is_refused(tiny_qwen):
    recipe = recipe_for(tiny_qwen, "any", lora__variant="pissa", lora__dropout=0.1)
    (finding,) = recipe.contradictions()
    assert "lora.dropout" in finding.what
