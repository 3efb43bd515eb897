"""Words that transformers doesn't know are refused; those that it knows never are."""

import json

import pytest
from transformers.configuration_utils import (
    _LEGACY_LAYER_TYPE_REMAP,
    ALLOWED_ATTN_LAYER_TYPES,
)

from studio.domain.architecture import config_refusal
from studio.domain.decoder.config import Config
from studio.domain.decoder.families import FAMILIES
from studio.domain.decoder.unknown_words import LAYER_KINDS, unknown_words
from studio.domain.errors import StudioError
from studio.engine.model_config import read_config
from tests.engine.test_impossible_heads import can_be_built, config_of

pytestmark = pytest.mark.filterwarnings("ignore")

WHOLE = {
    "factor": 2.0,
    "original_max_position_embeddings": 32,
    "rope_theta": 1e4,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "short_factor": [1.0] * 8,
    "long_factor": [1.0] * 8,
}
BY_LENGTH = {key: WHOLE[key] for key in ("short_factor", "long_factor")}
KINDS = ("linear", "dynamic", "yarn", "llama3", "longrope")
ROTARY = [
    *(WHOLE | {"rope_type": each} for each in ("default", "proportional", *KINDS)),
    *(WHOLE | {"rope_type": "nope"}, {"type": "nope", "factor": 2.0}),
    *({"type": each, "factor": 2.0} for each in ("linear", "dynamic", "yarn")),
    *({"rope_type": each} for each in KINDS),
    *(BY_LENGTH | {"type": each} for each in ("su", "yarn")),
    *({"factor": 2.0}, {"rope_type": None}, {"rope_theta": 1e4}),
]
LISTS = [
    *(["full_attention"], ["full_attention"] * 2, ["attention"], ["nope"]),
    *(["sliding_attention"], [None], [["full_attention"]]),
]


def refused(described):
    return unknown_words(Config.of(described)) is not None


def test_that_all_kinds_of_layers_of_transformers_are_known():
    assert {*ALLOWED_ATTN_LAYER_TYPES, *_LEGACY_LAYER_TYPE_REMAP} == LAYER_KINDS


@pytest.mark.parametrize("family", FAMILIES)
def test_that_nothing_is_refused_that_transformers_takes(family):
    plain = config_of(family, 64, 4, 2, None)
    asked = [
        {key: told} for told in ROTARY for key in ("rope_parameters", "rope_scaling")
    ]
    asked += [{"layer_types": each} for each in LISTS]
    for each in asked:
        assert not (refused(plain | each) and can_be_built(plain | each)), each


@pytest.mark.parametrize(
    "family", ["llama", "qwen3", "mixtral", "gpt_neox", "stablelm"]
)
def test_that_kinds_of_positions_are_refused_that_transformers_fails_over(family):
    plain = config_of(family, 64, 4, 2, None)
    odd = [{"rope_type": "nope"}, {"type": "nope"}, {"rope_type": None}]
    for told in [*odd, *({"rope_type": each} for each in KINDS)]:
        for key in ("rope_parameters", "rope_scaling"):
            described = plain | {key: told}
            assert refused(described)
            assert not can_be_built(described)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma2", "gpt2"])
@pytest.mark.parametrize("listed", [["nope"], [None], ["full_attention"] * 2])
def test_that_lists_of_layers_are_refused_that_transformers_fails_over(family, listed):
    described = config_of(family, 64, 4, 2, None) | {"layer_types": listed}
    assert refused(described)
    assert not can_be_built(described)


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"hidden_act": "nope"}, "says hidden_act = “nope”"),
        ({"rope_scaling": {"rope_type": "nope"}}, "says rope_type = “nope”"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "gives no “factor”"),
        ({"layer_types": ["nope"]}, "a layer of the kind “nope”"),
        ({"layer_types": []}, "lists 0 layer_types, but num_hidden_layers = 1"),
    ],
)
def test_that_the_engine_says_what_the_formula_says(tmp_path, odd, words):
    described = config_of("llama", 64, 4, 2, None) | odd
    (tmp_path / "config.json").write_text(json.dumps(described))
    with pytest.raises(StudioError) as told:
        read_config(tmp_path)
    assert told.value.finding == config_refusal(described)
    assert words in told.value.finding.what
