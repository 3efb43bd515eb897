"""Trained norms let gradients into the first block, where nothing below has any."""

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.memory.estimate import Level
from studio.domain.memory.formula import estimate_memory
from studio.domain.recipe import Recipe
from tests.bench.formula_grid import config_of
from tests.bench.formula_truth import device_of, rehearsed

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
    true = rehearsed(config, recipe, CARD)
    model = ModelArchitecture.from_config(config)
    found = estimate_memory(model, recipe, device_of(CARD))
    for level in (Level.ALLOCATED, Level.RESERVED):
        assert found.bytes_up_to(level) == pytest.approx(
            true.bytes_up_to(level), rel=0.02
        )
