"""A feed-forward block's function: named as transformers names it, and priced so."""

import pytest
from transformers import AutoConfig
from transformers.activations import ACT2FN

from studio.domain.decoder.activations import (
    ACTIVATION_NAMES,
    activation_of,
    unknown_activation,
)
from studio.domain.decoder.block import Activation
from studio.domain.decoder.config import Config
from studio.domain.decoder.families import FAMILIES
from studio.domain.errors import StudioError
from tests.bench.formula_grid import RECIPES, config_of, recipe_of
from tests.bench.formula_truth import errors_of

pytestmark = pytest.mark.filterwarnings("ignore")

KEYS = "hidden_act", "hidden_activation", "activation_function"
# One of each way to compute it.
NAMES = "leaky_relu", "relu", "gelu_new", "gelu_fast", "quick_gelu"


def test_that_every_function_of_transformers_is_known_by_name():
    assert set(ACT2FN) == ACTIVATION_NAMES


@pytest.mark.parametrize("family", FAMILIES)
def test_that_a_family_has_the_function_that_transformers_gives_it(family):
    config = AutoConfig.for_model(family)
    (told,) = {getattr(config, key) for key in KEYS if hasattr(config, key)}
    silent = Config({"model_type": family})
    named = [Config({"model_type": family, key: told}) for key in KEYS]
    kinds = {activation_of(each, has_experts=False) for each in [silent, *named]}
    assert len(kinds) == 1
    # It is asked for by the family's own name of it.
    assert sum(
        unknown_activation(Config({"model_type": family, key: "nope"})) is not None
        for key in KEYS
    ) == sum(hasattr(config, key) for key in KEYS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("architecture", "key"),
    [
        ("llama-3.1-8b", "hidden_act"),
        ("gpt2-xl", "activation_function"),
        ("gemma-2-9b", "hidden_activation"),
        ("phi-4", "hidden_act"),
    ],
)
def test_that_the_function_is_priced_as_it_is_computed(architecture, key, name):
    config = config_of(architecture, 2) | {key: name}
    recipe, capability = recipe_of(architecture, "no-ckpt"), RECIPES["no-ckpt"][0]
    assert max(map(abs, errors_of(config, recipe, capability))) < 0.02


@pytest.mark.parametrize(
    ("name", "has_experts"), [("mish", False), ("xielu", False), ("gelu_fast", True)]
)
def test_that_a_function_that_it_does_not_know_is_left_to_the_dry_run(
    name, has_experts
):
    text = Config({"model_type": "llama", "hidden_act": name})
    assert unknown_activation(text) is None
    with pytest.raises(StudioError) as refused:
        activation_of(text, has_experts=has_experts)
    assert refused.value.finding.code == "model.architecture"
    assert f"“{name}”" in refused.value.finding.what


def test_that_experts_compute_one_kernel():
    text = Config({"model_type": "mixtral", "hidden_act": "gelu"})
    assert activation_of(text, has_experts=True) is Activation.KERNEL
