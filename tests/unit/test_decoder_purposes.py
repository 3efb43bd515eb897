"""Models that don't write are told by their config, and no others."""

import pytest

from studio.domain.architecture import ModelArchitecture, config_refusal
from studio.domain.errors import StudioError
from tests.bench.formula_grid import ARCHITECTURES, config_of

OTHERWISE = [
    ("bert", "BertForMaskedLM"),
    ("modernbert", "ModernBertForSequenceClassification"),
    ("llama", "LlamaForSequenceClassification"),
    ("qwen2", "Qwen2ForRewardModel"),
    ("electra", "ElectraForPreTraining"),
    ("qwen3", "Qwen3ForTokenClassification"),
]
WRITING = [
    ("llama", ["LlamaForCausalLM"]),
    ("gpt2", ["GPT2LMHeadModel"]),
    ("gemma3", ["Gemma3ForConditionalGeneration"]),
    ("bert", ["BertForMaskedLM", "BertLMHeadModel"]),
    ("llama", []),
    ("llama", "LlamaForSequenceClassification"),
]


@pytest.mark.parametrize(("family", "name"), OTHERWISE)
def test_that_a_model_made_for_something_else_is_refused(family, name):
    refused = config_refusal({"model_type": family, "architectures": [name]})
    assert refused is not None
    assert refused.code == "model.purpose"
    assert name in refused.what


def test_that_a_model_of_two_halves_is_refused():
    refused = config_refusal({"model_type": "t5", "is_encoder_decoder": True})
    assert refused is not None
    assert "one half" in refused.what


@pytest.mark.parametrize(("family", "names"), WRITING)
def test_that_a_model_that_writes_or_does_not_tell_is_taken(family, names):
    assert config_refusal({"model_type": family, "architectures": names}) is None


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_that_no_known_architecture_is_refused(name):
    assert config_refusal(config_of(name)) is None


def test_that_a_family_without_a_formula_is_refused_for_its_purpose_first():
    config = {"model_type": "bert", "architectures": ["BertForMaskedLM"]}
    with pytest.raises(StudioError) as refused:
        ModelArchitecture.from_config(config)
    assert refused.value.finding.code == "model.purpose"


def test_that_the_formula_prices_no_classifier():
    config = config_of("llama-3.1-8b") | {
        "architectures": ["LlamaForTokenClassification"]
    }
    with pytest.raises(StudioError, match="isn’t made to write on"):
        ModelArchitecture.from_config(config)
