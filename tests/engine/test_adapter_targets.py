"""A word for a kind of layer finds the layers of that kind, whatever their names."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError
from studio.domain.memory.formula import adapter_weights
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import ATTENTION_ONLY, LoraOptions, LoraVariant
from studio.engine.adapter_targets import targets_for
from studio.engine.adapters import attach
from tests.engine import tiny

pytestmark = [
    pytest.mark.torch,
    # A remark of peft on layers of GPT-2, which it sets right by itself.
    pytest.mark.filterwarnings("ignore:fan_in_fan_out:UserWarning"),
]

FAMILIES = {
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4},
    "gpt_neox": {"num_key_value_heads": 4},
    "phi3": {"resid_pdrop": 0.0},
    "llama": {},
    "gemma3_text": {"head_dim": 16},
    "mixtral": {**tiny.MIXTURES["mixtral"], "num_experts_per_tok": 2},
    "qwen3_moe": {**tiny.MIXTURES["qwen3_moe"], "num_experts_per_tok": 2},
}
MIXTURES = frozenset(tiny.MIXTURES)
WORDS = [
    *((family, "attention-only") for family in FAMILIES),
    *((family, "mlp-only") for family in FAMILIES if family not in MIXTURES),
]


def config_of(family):
    shape = dict(FAMILIES[family])
    if family != "gpt2":
        shape = {**tiny.SHAPE, **shape}
    return AutoConfig.for_model(family, vocab_size=100, **shape)


def made(family):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config_of(family))


@pytest.mark.parametrize(("family", "word"), WORDS)
def test_that_a_word_adapts_the_layers_of_its_kind_alone(family, word):
    adapted = attach(made(family), LoraOptions(rank=4, targets=(word,)))
    names = [n for n, p in adapted.named_parameters() if p.requires_grad]
    attends = ["attn" in n or "attention" in n for n in names]
    assert names
    assert all(attends) if word == "attention-only" else not any(attends)


@pytest.mark.parametrize(("family", "word"), WORDS)
def test_that_the_formula_adapts_the_same_layers(family, word):
    adapted = attach(made(family), LoraOptions(rank=4, targets=(word,)))
    true = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    shape = ModelArchitecture.from_config(config_of(family).to_dict())
    recipe = Recipe().with_values({"lora.rank": 4, "lora.targets": (word,)})
    assert adapter_weights(shape, recipe) == true


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_that_the_formula_counts_the_lengths_of_dora(family):
    options = LoraOptions(rank=4, variant=LoraVariant.DORA)
    adapted = attach(made(family), options)
    true = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    shape = ModelArchitecture.from_config(config_of(family).to_dict())
    recipe = Recipe().with_values({"lora.rank": 4, "lora.variant": "dora"})
    assert adapter_weights(shape, recipe) == true


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_that_the_formula_counts_the_directions_of_adalora(family):
    options = LoraOptions(rank=4, variant=LoraVariant.ADALORA)
    adapted = attach(made(family), options)
    true = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    shape = ModelArchitecture.from_config(config_of(family).to_dict())
    recipe = Recipe().with_values({"lora.rank": 4, "lora.variant": "adalora"})
    assert adapter_weights(shape, recipe) == true


@pytest.mark.parametrize("kind", ["norms", "embeddings"])
@pytest.mark.parametrize("family", sorted({family for family, _ in WORDS}))
def test_that_the_formula_counts_what_is_trained_beside(family, kind):
    targets = (ATTENTION_ONLY,)
    options = LoraOptions(rank=4, targets=targets, **{f"train_{kind}": True})
    adapted = attach(made(family), options)
    true = sum(p.numel() for p in adapted.parameters() if p.requires_grad)
    shape = ModelArchitecture.from_config(config_of(family).to_dict())
    recipe = Recipe().with_values(
        {"lora.rank": 4, "lora.targets": targets, f"lora.train_{kind}": True}
    )
    assert adapter_weights(shape, recipe) == true


def test_that_the_same_name_in_two_kinds_is_told_apart():
    assert targets_for(made("gpt2"), ("attention-only",)) == [
        "attn.c_attn",
        "attn.c_proj",
    ]
    assert targets_for(made("gpt2"), ("mlp-only",)) == ["mlp.c_fc", "mlp.c_proj"]


def test_that_experts_are_not_adapted_alone():
    with pytest.raises(StudioError, match="can’t be adapted alone"):
        targets_for(made("mixtral"), ("mlp-only",))


def test_that_a_model_without_such_layers_is_told_so():
    config = AutoConfig.for_model(
        "mamba", hidden_size=32, num_hidden_layers=1, vocab_size=100, state_size=4
    )
    model = AutoModelForCausalLM.from_config(config)
    with pytest.raises(StudioError, match=r"no layers known for attention-only.*in_"):
        targets_for(model, ("attention-only",))


@pytest.mark.parametrize("targets", [("attention-only", "mlp-only"), ()])
def test_that_a_word_stands_alone(targets):
    with pytest.raises(StudioError, match="one word for all, or names"):
        targets_for(made("llama"), targets)
