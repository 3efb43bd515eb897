import gc
import statistics

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.memory.formula import estimate_memory
from studio.storage.model_list import find_known
from studio.system.resources import resource_root
from tests.bench.formula_grid import ARCHITECTURES, RECIPES, config_of, recipe_of
from tests.bench.formula_truth import compare, device_of, rehearsed

# A remark of transformers for models that come without a generation config.
pytestmark = pytest.mark.filterwarnings("ignore")

# Each architecture and each recipe at least once; the whole grid is
# tests/bench/formula_truth.py.
SAMPLE = [
    ("llama-3.1-8b", "default-2k"),
    ("llama-3.1-8b", "full"),
    ("llama-3.1-8b", "offloaded"),
    ("gpt2-xl", "offloaded"),
    ("qwen2.5-7b", "padded"),
    ("llama-3.1-8b", "packed"),
    ("gemma-3-4b", "packed"),
    ("qwen3-30b-a3b", "packed-rows"),
    ("pythia-6.9b", "packed-eager"),
    ("qwen2.5-7b", "packed-t4"),
    ("qwen3-8b", "no-ckpt"),
    ("qwen3-8b", "full-acc1"),
    ("llama-3.1-8b", "all-weights"),
    ("smollm2-1.7b", "all-weights-mixed"),
    ("gemma-3-4b", "all-weights"),
    ("mistral-7b-v0.1", "h100-4k"),
    ("gemma-1-2b", "8bit-r64"),
    ("gemma-2-9b", "eager-nodq"),
    ("gemma-3-4b", "fp32-adapter"),
    ("gemma-2-9b", "norms"),
    ("llama-3.1-8b", "embeddings"),
    ("qwen2.5-7b", "beside-8bit"),
    ("gemma-3-4b", "beside-t4"),
    ("smollm2-1.7b", "beside-mixed"),
    ("phi-4", "dropout"),
    ("qwen2.5-7b", "noise"),
    ("phi-4-mini", "attn-only"),
    ("gpt2-xl", "attention"),
    ("olmoe-7b", "attention"),
    ("phi-4", "attention"),
    ("gpt2-xl", "mlp"),
    ("qwen2.5-7b", "mlp"),
    ("smollm2-1.7b", "bf16"),
    ("smollm3-3b", "bf16-no-ckpt"),
    ("olmo2-7b", "int8"),
    ("granite-3.1-8b", "t4"),
    ("gpt2-xl", "foreach-r256"),
    ("llama-3.1-8b", "lion-r256"),
    ("gpt2-xl", "lion-8bit-r64"),
    ("qwen2.5-7b", "paged-lion-r128"),
    ("llama-3.1-8b", "pairs"),
    ("gemma-2-9b", "pairs-no-ckpt"),
    ("qwen3-8b", "odds"),
    ("gpt2-xl", "rated"),
    ("llama-3.1-8b", "adafactor-r256"),
    ("llama-3.1-8b", "adafactor-beside"),
    ("gemma-2-9b", "foreach-beside"),
    ("gemma-2-9b", "adafactor-all"),
    ("qwen3-30b-a3b", "adafactor-all-mixed"),
    ("qwen2.5-7b", "foreach-plus"),
    ("pythia-6.9b", "t4-eager"),
    ("odd", "fp32"),
    ("odd", "default-2k"),
    ("starcoder2-3b", "paged-r128"),
    ("starcoder1-1b", "kbit-plain"),
    ("starcoder1-1b", "t4"),
    ("stablelm-3b", "trainer4"),
    ("qwen3-8b", "trl-0"),
    ("gemma-2-9b", "early-logits"),
    ("qwen2.5-7b", "acc1-no-ckpt"),
    ("mixtral-8x7b", "attn-only"),
    ("qwen3-30b-a3b", "default-2k"),
    ("olmoe-7b", "bf16"),
    ("mixtral-8x7b", "t4"),
    ("qwen3-30b-a3b", "fp32"),
    ("olmoe-7b", "dropout"),
]
# Where what is reserved was once 6 to 20 % off: a second step that finds large states,
# noise, the reference's pass, the order of states and of gradients, windows' masks.
REPLAYED = [
    ("mixtral-8x7b", "lion-r256"),
    ("mistral-7b-v0.1", "noise"),
    ("pythia-6.9b", "pairs-no-ckpt"),
    ("starcoder2-3b", "all-weights"),
    ("phi-4-mini", "all-weights"),
    ("gemma-3-4b", "embeddings"),
    ("granite-3.1-8b", "adafactor-beside"),
    ("starcoder2-3b", "foreach-r256"),
]


@pytest.fixture(scope="module")
def cells():
    found = {}
    for name, recipe in SAMPLE + REPLAYED:
        found[name, recipe] = compare(name, recipe)
        gc.collect()
    return found


def test_that_the_sample_leaves_no_recipe_out():
    assert {recipe for _, recipe in SAMPLE} == set(RECIPES)
    assert {name for name, _ in SAMPLE} <= set(ARCHITECTURES)


def test_that_the_formula_agrees_with_the_dry_run(cells):
    errors = {key: cell.allocated for key, cell in cells.items()}
    assert None not in errors.values()
    assert max(errors.values(), key=abs) == pytest.approx(0, abs=0.06), errors
    assert statistics.mean(map(abs, errors.values())) <= 0.02


@pytest.mark.parametrize("key", REPLAYED)
def test_that_a_whole_run_is_replayed_as_the_dry_run_goes(cells, key):
    assert abs(cells[key].reserved) <= 0.06


@pytest.mark.parametrize(
    ("name", "recipe_name"),
    [("smollm2-1.7b", "embeddings"), ("gpt2-xl", "pairs"), ("odd", "lion-r256")],
)
def test_that_each_phase_peaks_as_high_as_in_the_dry_run(name, recipe_name):
    config, recipe = config_of(name, 2), recipe_of(name, recipe_name)
    capability = RECIPES[recipe_name][0]
    true = rehearsed(config, recipe, capability).phase_peaks
    model = ModelArchitecture.from_config(config)
    found = estimate_memory(model, recipe, device_of(capability)).phase_peaks
    assert found == {phase: pytest.approx(true[phase], rel=0.06) for phase in true}


# Attention that drops entries takes every score there, with keys that many queries
# share too, and beside a reference nothing drops; masks of what is dropped have the
# entries' format; autocast widens neither norms nor probabilities, and peft casts
# beside it.
@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("smollm2-1.7b", "default-2k"),
        ("qwen2.5-7b", "padded"),
        ("odd", "fp32"),
        ("gpt2-xl", "no-ckpt"),
        ("starcoder1-1b", "dropout"),
        ("starcoder1-1b", "pairs-no-ckpt"),
        ("gemma-2-9b", "default-2k"),
        ("gpt2-xl", "fp32-adapter"),
        ("smollm2-1.7b", "fp32-adapter"),
    ],
)
def test_that_it_agrees_on_a_processor(name, recipe):
    assert abs(compare(name, recipe, on_processor=True).allocated) <= 0.02


def test_that_it_knows_what_a_processor_scores_a_tile_with(monkeypatch):
    small = {
        **ARCHITECTURES["smollm2-1.7b"],
        "hidden_size": 576,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
    }
    monkeypatch.setitem(ARCHITECTURES, "smollm2-135m", small)
    cell = compare("smollm2-135m", "default-2k", layers=None, on_processor=True)
    assert abs(cell.allocated) <= 0.02


def test_that_a_vision_part_that_rests_is_known_to_both(monkeypatch):
    listed = find_known(resource_root() / "models", "gemma-3-4b-it").whole_config
    few = {
        "text_config": {**listed["text_config"], "num_hidden_layers": 6},
        "vision_config": {**listed["vision_config"], "num_hidden_layers": 6},
    }
    monkeypatch.setitem(ARCHITECTURES, "gemma-3-seeing", {**listed, **few})
    cell = compare("gemma-3-seeing", "default-2k")
    assert abs(cell.allocated) <= 0.02
    assert abs(cell.reserved) <= 0.05


def test_that_the_formula_knows_what_the_allocator_holds(cells):
    errors = {key: cell.reserved for key, cell in cells.items()}
    assert statistics.mean(map(abs, errors.values())) <= 0.03, errors
    assert max(errors.values(), key=abs) == pytest.approx(0, abs=0.06), errors


def test_that_experts_take_the_room_made_for_them_in_the_order_of_their_names(cells):
    # In any other order the second block's matrices need a segment of their own.
    assert cells["mixtral-8x7b", "attn-only"].reserved == pytest.approx(0, abs=0.05)
