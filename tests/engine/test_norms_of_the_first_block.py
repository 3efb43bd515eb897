"""Trained norms let gradients into the first block, where nothing below has any."""

import pytest

from studio.domain.recipe import Recipe
from tests.bench.formula_grid import config_of
from tests.bench.formula_truth import errors_of

pytestmark = pytest.mark.filterwarnings("ignore")

RECIPE = {
    "train.sequence_length": 1024,
    "train.checkpointing": False,
    "lora.train_norms": True,
    "lora.targets": ["mlp-only"],
    "lora.rank": 64,
}
CARD = (8, 0)


@pytest.mark.parametrize(
    "architecture", ["mistral-7b-v0.1", "pythia-6.9b", "gemma-3-4b", "qwen3-8b"]
)
def test_that_what_they_keep_is_priced(architecture):
    config = config_of(architecture, 1)
    recipe = Recipe().with_values(RECIPE)
    assert max(map(abs, errors_of(config, recipe, CARD))) < 0.02
