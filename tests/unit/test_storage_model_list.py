"""The list of models: every number of a shape proves itself by the weights' count."""

import re

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError
from studio.storage.model_list import find_known, known_models
from studio.system.resources import resource_root

LISTS = resource_root() / "models"
MODELS = known_models(LISTS)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_that_the_config_gives_as_many_weights_as_the_hub_counts(model):
    shape = ModelArchitecture.from_config(model.whole_config)
    counted = shape.parameters + model.counted_tables + model.counted_vision
    assert counted == model.counted
    assert shape.context == model.context > 0


def test_that_what_a_file_holds_beside_the_language_model_is_what_it_is_said_to_be():
    for model in MODELS:
        shape = ModelArchitecture.from_config(model.whole_config)
        heads = shape.decoder.kinds[0][0].heads
        tower = shape.tower.weights if shape.tower else 0
        assert model.counted_tables in {0, shape.layers * heads.width // 2}
        assert model.counted_vision == tower
        assert bool(tower) == ("vision_config" in model.config)


def test_that_a_wrong_number_would_be_noticed():
    model = find_known(LISTS, "Qwen2.5-7B-Instruct")
    for heads in (2, 7, 14):
        wrong = dict(model.whole_config) | {"num_key_value_heads": heads}
        assert ModelArchitecture.from_config(wrong).parameters != model.parameters
    impossible = dict(model.whole_config) | {"num_key_value_heads": 8}
    with pytest.raises(StudioError, match="can’t be divided"):
        ModelArchitecture.from_config(impossible)


def test_that_the_list_is_long_and_each_entry_whole():
    assert len(MODELS) >= 60
    assert len({model.name.casefold() for model in MODELS}) == len(MODELS)
    assert len({model.hub_id for model in MODELS}) == len(MODELS)
    sources = (LISTS / "README.md").read_text(encoding="utf-8")
    for model in MODELS:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", model.hub_id)
        assert model.hub_id.partition("/")[2] == model.name
        assert model.licence
        assert model.description.endswith(".")
        assert f"`{model.origin}`" in sources
        assert not set(model.nulls) & set(model.config)


def test_that_models_whose_makers_ask_for_consent_are_gated():
    owners = {"meta-llama", "google"}
    for model in MODELS:
        if model.hub_id.partition("/")[0] in owners:
            assert model.gated, model.name
    assert not find_known(LISTS, "Qwen3-8B").gated


def test_that_a_null_of_a_config_reaches_who_reads_it():
    config = find_known(LISTS, "Mistral-7B-Instruct-v0.3").whole_config
    assert config["sliding_window"] is None
    assert find_known(LISTS, "Nothing-7B") is None
