"""The list of models against transformers: the same configs, the same weights."""

import json

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from studio.domain.architecture import ModelArchitecture
from studio.storage.model_inspection import inspect
from studio.storage.model_list import known_models
from studio.system.resources import resource_root

MODELS = known_models(resource_root() / "models")


def built(config):
    """The model on a device that holds nothing."""
    read = AutoConfig.for_model(**config)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(read, trust_remote_code=False)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_that_transformers_builds_the_listed_model_with_as_many_weights(model):
    weights = built(dict(model.whole_config))
    counted = sum(each.numel() for each in weights.parameters())
    assert counted == model.parameters + model.counted_vision
    shape = ModelArchitecture.from_config(weights.config.to_dict())
    assert shape == ModelArchitecture.from_config(model.whole_config)


def test_that_a_folder_that_transformers_wrote_is_inspected_whole(tiny_model):
    found = inspect(tiny_model)
    assert found.findings == ()
    assert found.parameters_from == "headers"
    config = json.loads((tiny_model / "config.json").read_text(encoding="utf-8"))
    assert found.parameters == ModelArchitecture.from_config(config).parameters
