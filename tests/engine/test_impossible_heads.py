"""Heads that no model can have: told of those configs that transformers fails over."""

import json

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from studio.domain.architecture import ModelArchitecture, config_refusal
from studio.domain.decoder.families import FAMILIES
from studio.domain.errors import StudioError
from studio.engine.model_config import NONSENSE, read_config

SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 1,
    "vocab_size": 32,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
EXPERTS = {
    "num_local_experts": 2,
    "num_experts": 2,
    "num_experts_per_tok": 1,
    "moe_intermediate_size": 32,
}
OTHER_NAMES = {"hidden_size": "n_embd", "num_attention_heads": "n_head"}
# Width, heads, keys, a head's own width.
HEADS = [
    (64, 4, 2, None),
    (64, 4, 2, 16),
    (64, 7, 7, None),
    (64, 7, 7, 16),
    (68, 8, 8, None),
    (60, 4, 4, None),
    (64, 128, 128, None),
    (64, 4, 2, 15),
    (64, 4, 3, None),
    (64, 4, 8, None),
]
# Turned by a quarter, of which an odd number of entries is left: not judged.
NOT_JUDGED = {("stablelm", (60, 4, 4, None))}


def config_of(family, width, heads, keys, own):
    asked = {"hidden_size": width, "num_attention_heads": heads}
    asked |= {"num_key_value_heads": keys}
    asked |= {} if own is None else {"head_dim": own}
    described = {"model_type": family} | SHAPE | EXPERTS | asked
    if family in {"gpt2", "gpt_bigcode"}:
        described = {OTHER_NAMES.get(name, name): it for name, it in described.items()}
    return described


def can_be_built(described):
    """Whether transformers computes a step with it."""
    kept = {name: it for name, it in described.items() if name != "model_type"}
    try:
        config = AutoConfig.for_model(described["model_type"], **kept)
        model = AutoModelForCausalLM.from_config(config)
        tokens = torch.arange(8)[None]
        model(input_ids=tokens, labels=tokens).loss.backward()
    except (RuntimeError, *NONSENSE):
        return False
    return True


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("family", FAMILIES)
def test_that_heads_are_refused_which_transformers_fails_over(family):
    for heads in HEADS:
        if (family, heads) in NOT_JUDGED:
            continue
        described = config_of(family, *heads)
        is_refused = config_refusal(described) is not None
        assert is_refused != can_be_built(described), heads


def test_that_the_engine_says_what_the_formula_says(tmp_path):
    described = config_of("llama", 64, 7, 7, None)
    (tmp_path / "config.json").write_text(json.dumps(described))
    with pytest.raises(StudioError) as refused:
        read_config(tmp_path)
    assert refused.value.finding == config_refusal(described)


@pytest.mark.parametrize("family", FAMILIES)
def test_that_heads_of_no_told_width_have_the_one_of_transformers(family):
    described = config_of(family, 64, 4, 4, None)
    kept = {name: it for name, it in described.items() if name != "model_type"}
    config = AutoConfig.for_model(family, **kept)
    width = getattr(config, "head_dim", None) or 64 // 4
    heads = ModelArchitecture.from_config(described).decoder.kinds[0][0].heads
    assert heads.width == width
