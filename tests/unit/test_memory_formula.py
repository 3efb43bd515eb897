import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.estimate import Group, Level
from studio.domain.memory.formula import adapter_weights, estimate_memory
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import ComputeDtype
from studio.domain.train_options import Optimizer
from tests.bench.formula_grid import ARCHITECTURES
from tests.published import published_config, published_weights

# Each from the model's published config.json.
LLAMA_3_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": False,
}
LLAMA_2_70B = published_config("Llama-2-70B")


def card(total_gib: float, free_gib: float | None = None, bf16: bool = True):
    free = total_gib if free_gib is None else free_gib
    return TrainingDevice(
        kind="cuda",
        name="Test card",
        total_bytes=int(total_gib * GIB),
        free_bytes=int(free * GIB),
        has_bf16=bf16,
        compute_capability=(8, 9) if bf16 else (7, 5),
    )


def shape(config):
    return ModelArchitecture.from_config(config)


@pytest.mark.parametrize(
    ("config", "published"),
    [
        (LLAMA_3_8B, 8_030_261_248),
        (LLAMA_2_70B, published_weights("Llama-2-70B")),
        (published_config("SmolLM2-135M"), published_weights("SmolLM2-135M")),
    ],
)
def test_that_parameters_are_counted_as_published(config, published):
    assert shape(config).parameters == published


def test_that_an_unknown_family_is_refused_in_words():
    with pytest.raises(StudioError, match="“mamba” can’t be priced yet"):
        shape({"model_type": "mamba"})


def test_that_a_config_without_its_width_names_what_is_missing():
    broken = {k: v for k, v in LLAMA_3_8B.items() if k != "hidden_size"}
    with pytest.raises(StudioError, match="hidden_size"):
        shape(broken)


def test_that_double_quantisation_saves_thirty_seven_hundredths_of_a_bit():
    model, device = shape(LLAMA_3_8B), card(24)
    held = [
        estimate_memory(
            model, Recipe().with_value("model.double_quant", on), device
        ).by_group()[Group.WEIGHTS]
        for on in (True, False)
    ]
    saved = held[1] - held[0]
    assert saved * 8 / model.linear_weights == pytest.approx(0.373, abs=0.001)


def test_that_llama_adapters_are_counted_as_peft_counts_them():
    # peft prints 41,943,040 for Llama-3-8B, rank 16, all linear layers.
    assert adapter_weights(shape(LLAMA_3_8B), Recipe()) == 41_943_040


@pytest.mark.parametrize("name", ["llama-3.1-8b", "gpt2-xl", "gemma-2-9b", "odd"])
def test_that_all_weights_are_all_weights(name):
    model = ModelArchitecture.from_config(ARCHITECTURES[name])
    whole = Recipe().with_values({"train.weights": "all", "model.precision": "bf16"})
    assert adapter_weights(model, whole) == model.parameters


def test_that_dora_trains_a_length_for_each_output():
    model = shape(LLAMA_3_8B)
    dora = Recipe().with_value("lora.variant", "dora")
    outputs = 32 * (4096 + 1024 + 1024 + 4096 + 14336 + 14336 + 4096)
    plain = adapter_weights(model, Recipe())
    assert adapter_weights(model, dora) == plain + outputs


def test_that_seventy_billion_weights_fit_a_48_gib_card_in_four_bits():
    estimate = estimate_memory(
        shape(LLAMA_2_70B),
        Recipe().with_value("train.sequence_length", 512),
        card(48),
    )
    assert 34 * GIB < estimate.peak_bytes < 48 * GIB


recipes = st.builds(
    lambda rank, length, rows, checkpointing, optimizer, compute: (
        Recipe()
        .with_value("lora.rank", rank)
        .with_value("train.sequence_length", length)
        .with_value("train.micro_batch", rows)
        .with_value("train.checkpointing", checkpointing)
        .with_value("train.optimizer", optimizer)
        .with_value("model.compute_dtype", compute)
    ),
    st.integers(1, 256),
    st.integers(16, 8192),
    st.integers(1, 16),
    st.booleans(),
    # 8-bit and paged states begin at a tensor size, so there a higher rank may
    # take less; that threshold is the library's own.
    st.sampled_from(
        [Optimizer.ADAMW_FUSED, Optimizer.ADAMW_FOREACH, Optimizer.ADAFACTOR]
    ),
    st.sampled_from(list(ComputeDtype)),
)


@given(
    recipes,
    st.sampled_from(["lora.rank", "train.sequence_length", "train.micro_batch"]),
    st.integers(1, 64),
)
def test_that_more_never_costs_less(recipe, key, more):
    # What tensors take. What the allocator holds beside them depends on how sizes
    # happen to fit into each other's blocks, and may fall.
    model, device = shape(LLAMA_3_8B), card(24)
    # A second row brings a mask, by which torch leaves its plain kernel (every score
    # in fp32) for the memory-efficient one where keys are grouped.
    assume(key != "train.micro_batch" or recipe.train.micro_batch > 1)
    larger = recipe.with_value(key, recipe.value(key) + more)
    peak = estimate_memory(model, recipe, device).bytes_up_to(Level.ALLOCATED)
    more_peak = estimate_memory(model, larger, device).bytes_up_to(Level.ALLOCATED)
    assert more_peak >= peak


@given(recipes)
def test_that_groups_sum_to_the_peak(recipe):
    estimate = estimate_memory(shape(published_config("SmolLM2-135M")), recipe, card(8))
    assert sum(estimate.by_group().values()) == estimate.peak_bytes
    assert set(estimate.by_group()) == set(Group)
    assert estimate.low_bytes <= estimate.peak_bytes <= estimate.high_bytes
