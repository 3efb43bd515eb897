"""Rows longer than a model was made for: stretched positions, groups that shift."""

import importlib.util
import json

import pytest
import torch
from torch.nn import functional

from studio.domain.errors import ExitCode, StudioError
from studio.domain.memory.outside_formula import outside_formula
from studio.engine.attention_plugins import register_attention
from studio.engine.devices import choose_device, formats_of
from studio.engine.long_context import refuse_windows, stretched
from studio.engine.model_config import read_config
from studio.engine.model_loading import load_model
from studio.protocol.events import EvalFinished
from studio.protocol.export_events import Merged
from studio.services.run_journal import snapshot_of
from studio.system.resources import plugin_root
from tests.engine import tiny
from tests.engine.helpers import carry_out, new_run, of_kind, recipe_for, train

pytestmark = pytest.mark.torch


def kernel():
    path = plugin_root() / "shifted_attention" / "kernel.py"
    spec = importlib.util.spec_from_file_location("shifted_kernel", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


KERNEL = kernel()


class Layer(torch.nn.Module):
    """Stands for a model's attention, of which only the mode is asked."""


def heads(length, count=4, keys=4, seed=0):
    made = torch.Generator().manual_seed(seed)
    shapes = ((2, count, length, 8), (2, keys, length, 8), (2, keys, length, 8))
    return [torch.randn(shape, generator=made, requires_grad=True) for shape in shapes]


def seen_by(length, head):
    """Which tokens a head's token may see, by section 3.2 of the paper, causally."""
    group = KERNEL.group_of(length)
    shift = 0 if head < 2 else group // 2
    places = torch.arange(length)
    groups = (places - shift).div(group, rounding_mode="floor")
    return (groups[:, None] == groups[None, :]) & (places[:, None] >= places[None, :])


@pytest.mark.parametrize("length", [1, 2, 7, 8, 16, 33, 64])
@pytest.mark.parametrize("keys", [1, 2, 4])
def test_that_each_head_sees_its_group_and_nothing_else(length, keys):
    query, key, value = heads(length, keys=keys)
    got, _ = KERNEL.attend(Layer().train(), query, key, value, None)
    mask = torch.stack([seen_by(length, head) for head in range(4)])[None]
    wide = [each.repeat_interleave(4 // keys, dim=1) for each in (key, value)]
    expected = functional.scaled_dot_product_attention(query, *wide, attn_mask=mask)
    assert torch.allclose(got, expected.transpose(1, 2), atol=1e-6)


@pytest.mark.parametrize("padded", [0, 3])
def test_that_outside_of_training_every_token_sees_all_earlier_ones(padded):
    query, key, value = heads(16)
    padding = torch.ones(2, 16, dtype=torch.bool)
    padding[0, :padded] = False
    got, _ = KERNEL.attend(Layer().eval(), query, key, value, padding)
    mask = torch.ones(16, 16, dtype=torch.bool).tril()[None, None]
    mask = mask & padding[:, None, None, :]
    expected = functional.scaled_dot_product_attention(query, key, value, mask)
    assert torch.allclose(
        got[:, padded:], expected.transpose(1, 2)[:, padded:], atol=1e-6
    )
    assert torch.isfinite(got).all()


def test_that_an_answer_is_continued_over_what_was_read_before():
    query, key, value = heads(16)
    got, _ = KERNEL.attend(Layer().eval(), query[:, :, -1:], key, value, None)
    whole, _ = KERNEL.attend(Layer().eval(), query, key, value, None)
    assert torch.allclose(got, whole[:, -1:], atol=1e-6)


def test_that_windows_of_a_models_own_are_refused():
    query, key, value = heads(8)
    with pytest.raises(ValueError, match="window"):
        KERNEL.attend(Layer(), query, key, value, None, sliding_window=4)


def test_that_a_model_with_windows_is_refused_in_words(tiny_model):
    config = read_config(tiny_model)
    refuse_windows(config)
    config.layer_types = ["sliding_attention", "full_attention"]
    with pytest.raises(StudioError, match="a way of their own"):
        refuse_windows(config)


def test_that_an_attention_nobody_brings_is_refused():
    with pytest.raises(StudioError, match="No plug-in brings"):
        register_attention("sparser")


def test_that_training_in_groups_learns_and_answers_with_everything(
    tmp_path, tiny_model, chat_file
):
    options = {"model__attention": "shifted", "train__max_steps": 12}
    run = new_run(tmp_path, recipe_for(tiny_model, chat_file, **options))
    code, events = train(run)
    assert code is ExitCode.OK, events[-1]
    before, *_, after = of_kind(events, EvalFinished)
    assert after.loss < before.loss
    plain = new_run(tmp_path, recipe_for(tiny_model, chat_file, train__max_steps=12))
    _, others = train(plain)
    first, *_, last = of_kind(others, EvalFinished)
    assert first.loss == pytest.approx(before.loss, rel=1e-5)  # measured alike
    assert last.loss != after.loss  # trained otherwise


def test_that_groups_and_packing_clash(tiny_model, chat_file):
    recipe = recipe_for(
        tiny_model, chat_file, model__attention="shifted", train__packing=True
    )
    assert [each.where for each in recipe.contradictions()] == ["train.packing"]


def test_that_only_a_dry_run_prices_groups(tiny_model, chat_file, tmp_path):
    recipe = recipe_for(tiny_model, chat_file, model__attention="shifted")
    assert outside_formula(recipe) is not None
    assert outside_formula(recipe_for(tiny_model, chat_file)) is None


def estimate(tmp_path, recipe, model):
    from studio.engine.memory_estimate import Target
    from studio.engine.memory_estimate import estimate_memory as rehearse

    return rehearse(recipe, model, Target.of(24 << 30, "8.9"))


def test_that_groups_cost_less_than_scores_of_all_pairs(
    tmp_path, tiny_model, chat_file
):
    long = {
        "train__sequence_length": 4096,
        "train__micro_batch": 1,
        "model__compute_dtype": "bf16",
        "lora__adapter_dtype": "bf16",
    }
    peaks = {
        name: estimate(
            tmp_path,
            recipe_for(tiny_model, chat_file, model__attention=name, **long),
            tiny_model,
        ).peak_bytes
        for name in ("shifted", "eager")
    }
    assert peaks["shifted"] < peaks["eager"]


def test_that_positions_are_interpolated(tiny_model):
    """A token at twice the place is turned as one at the place was."""
    recipe = recipe_for(tiny_model, "none", model__precision="fp32")
    formats = formats_of(recipe, choose_device())
    plain = load_model(tiny_model, recipe.model, formats, choose_device())
    longer = recipe.with_value("model.stretch", 2.0)
    wide = load_model(tiny_model, longer.model, formats, choose_device())
    states = torch.zeros(1, 1, 1)
    for place in (1, 5, 30):
        at = torch.tensor([[place]])
        cosine, sine = plain.model.rotary_emb(states, at)
        cosine2, sine2 = wide.model.rotary_emb(states, 2 * at)
        assert torch.allclose(cosine, cosine2, atol=1e-6)
        assert torch.allclose(sine, sine2, atol=1e-6)
    assert wide.config.max_position_embeddings == (
        2 * plain.config.max_position_embeddings
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rope_type": "llama3", "factor": 8.0}, "scales its positions already"),
        (None, "can’t be interpolated"),
    ],
)
def test_that_other_positions_are_refused(tiny_model, change, said):
    config = read_config(tiny_model)
    config.rope_parameters = change and {**config.rope_parameters, **change}
    with pytest.raises(StudioError, match=said):
        stretched(config, 2.0)


def test_that_what_was_stretched_stays_so_when_merged(tmp_path, tiny_model):
    data = tiny.write_chats(tmp_path / "chats.jsonl")
    recipe = recipe_for(tiny_model, data, model__stretch=4.0)
    run = new_run(tmp_path, recipe)
    assert train(run)[0] is ExitCode.OK
    code, events = carry_out(
        "merge", run=run.path, out=run.merged_path, dtype="fp32", overwrite=False
    )
    assert code is ExitCode.OK, events[-1]
    assert of_kind(events, Merged)
    merged = json.loads((run.merged_path / "config.json").read_text())
    assert merged["rope_parameters"]["factor"] == 4.0
    assert "divided by 4" in (run.adapter_path / "README.md").read_text()
    assert snapshot_of(run).merged
