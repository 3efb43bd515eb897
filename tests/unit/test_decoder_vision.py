"""Vision parts: counted, quantised and adapted, though nothing of them runs."""

from dataclasses import replace

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.decoder.vision import tower_of
from studio.domain.errors import StudioError
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.formula import estimate_memory
from studio.domain.memory.part_names import ADAPTER, GRADIENTS, QUANTIZED, STATES
from studio.domain.recipe import Recipe
from studio.storage.model_list import find_known
from studio.system.resources import resource_root

CONFIG = find_known(resource_root() / "models", "gemma-3-4b-it").whole_config
CARD = TrainingDevice(
    kind="cuda", name="", total_bytes=24 * GIB, free_bytes=24 * GIB, has_bf16=True
)


def parts(model, **options):
    recipe = Recipe()
    for key, value in options.items():
        recipe = recipe.with_value(key.replace("__", "."), value)
    estimate = estimate_memory(model, recipe, CARD)
    return {part.name: part.bytes for part in estimate.components}


def test_that_the_head_of_a_vision_part_counts_where_there_is_one():
    vision = CONFIG["vision_config"]
    plain = tower_of(CONFIG, 2560).weights
    headed = {**CONFIG, "vision_config": {**vision, "vision_use_head": True}}
    # transformers builds both; the test of the model list holds the first to the hub.
    assert tower_of(headed, 2560).weights - plain == 15_238_352


def test_that_its_linear_layers_are_quantised_and_its_adapters_only_rest():
    seeing = ModelArchitecture.from_config(CONFIG)
    blind = replace(seeing, tower=None)
    with_it, without = parts(seeing), parts(blind)
    linear = sum(count * x.weights for x, count in seeing.tower.linears)
    assert with_it[QUANTIZED] - without[QUANTIZED] == pytest.approx(
        linear / 2, rel=1e-3
    )
    sides = sum(count * (x.inputs + x.outputs) for x, count in seeing.tower.linears)
    adapters = with_it[ADAPTER] - without[ADAPTER]
    assert adapters == pytest.approx(2 * 16 * sides, rel=0.02)
    assert with_it[STATES] == without[STATES]
    assert with_it.get(GRADIENTS) == without.get(GRADIENTS)


def test_that_named_targets_leave_out_what_has_no_such_layer():
    seeing = ModelArchitecture.from_config(CONFIG)
    blind = replace(seeing, tower=None)
    named = {"lora__targets": ("o_proj",)}
    assert parts(seeing, **named)[ADAPTER] == parts(blind, **named)[ADAPTER]


@pytest.mark.parametrize(
    "changes",
    [{"vision_config": None}, {"vision_config": {}}, {"model_type": "llava"}],
    ids=str,
)
def test_that_other_vision_parts_are_left_to_the_dry_run(changes):
    assert tower_of({**CONFIG, **changes}, 2560) is None


def test_that_a_broken_vision_part_is_refused_in_a_sentence():
    broken = {"model_type": "siglip_vision_model", "hidden_size": "wide"}
    with pytest.raises(StudioError, match="hidden_size"):
        ModelArchitecture.from_config({**CONFIG, "vision_config": broken})
