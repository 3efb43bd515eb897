"""Shares of a config that training drops at random are priced, whatever the family."""

import pytest

from tests.bench.formula_grid import RECIPES, config_of, recipe_of
from tests.bench.formula_truth import errors_of

pytestmark = pytest.mark.filterwarnings("ignore")

CASES = [
    ("granite-3.1-8b", "attention_dropout", "t4-eager"),
    ("starcoder2-3b", "attention_dropout", "t4-eager"),
    ("qwen3-8b", "attention_dropout", "eager-nodq"),
    ("llama-3.1-8b", "attention_dropout", "pairs"),
    ("pythia-6.9b", "hidden_dropout", "default-2k"),
    ("starcoder2-3b", "embedding_dropout", "default-2k"),
]


@pytest.mark.parametrize(("architecture", "share", "recipe_name"), CASES)
def test_that_a_share_that_drops_is_priced(architecture, share, recipe_name):
    recipe, capability = recipe_of(architecture, recipe_name), RECIPES[recipe_name][0]
    config = config_of(architecture, 2) | {share: 0.1}
    for error in errors_of(config, recipe, capability):
        assert abs(error) < 0.01


@pytest.mark.parametrize("architecture", ["granite-3.1-8b", "pythia-6.9b"])
def test_that_a_processor_has_no_kernel_that_drops(architecture):
    recipe = recipe_of(architecture, "default-2k")
    config = config_of(architecture, 2) | {"attention_dropout": 0.1}
    allocated, _ = errors_of(config, recipe, None)
    assert abs(allocated) < 0.02
