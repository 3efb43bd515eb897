"""Laws that hold for any recipe, on the formula."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.estimate import Group, Level, MemoryPhase
from studio.domain.memory.formula import estimate_memory
from studio.domain.memory.on_paper.weights import state_tensors
from studio.domain.recipe import Recipe
from studio.domain.train_options import Optimizer
from tests.bench.formula_grid import ARCHITECTURES, config_of

LLAMA_65B = {
    "model_type": "llama",
    "hidden_size": 8192,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "intermediate_size": 22016,
    "vocab_size": 32000,
    "tie_word_embeddings": False,
}
MODELS = {
    name: ModelArchitecture.from_config(config_of(name)) for name in ARCHITECTURES
}


def card(gib=48, capability=(8, 6)):
    return TrainingDevice(
        kind="cuda",
        name="",
        total_bytes=gib * GIB,
        free_bytes=gib * GIB,
        has_bf16=capability >= (8, 0),
        compute_capability=capability,
    )


def recipe_of(options):
    recipe = Recipe()
    for key, value in options.items():
        recipe = recipe.with_value(key, value)
    return recipe


def allocated(model, options, device=None):
    found = estimate_memory(model, recipe_of(options), device or card())
    return found.bytes_up_to(Level.ALLOCATED)


options = st.fixed_dictionaries(
    {
        "train.sequence_length": st.integers(64, 6000),
        "train.micro_batch": st.integers(2, 6),
        "train.checkpointing": st.booleans(),
        "train.packing": st.booleans(),
        "train.optimizer": st.sampled_from(["adamw_fused", "adamw_foreach"]),
        "train.accumulation": st.sampled_from([1, 16]),
        "lora.rank": st.integers(1, 200),
        "lora.adapter_dtype": st.sampled_from(["bf16", "fp32"]),
        "lora.train_norms": st.booleans(),
        "lora.train_embeddings": st.booleans(),
        "lora.dropout": st.sampled_from([0.0, 0.1]),
        "model.precision": st.sampled_from(["nf4", "int8", "bf16"]),
        "model.attention": st.sampled_from(["eager", "sdpa"]),
    }
)
models = st.sampled_from(sorted(MODELS))
cards = st.sampled_from([(7, 5), (8, 9), (9, 0)])


@settings(deadline=None)
@given(models, options, cards, st.integers(1, 64))
def test_that_longer_rows_never_take_less(name, given_options, capability, more):
    # Up to 32 rows of a product 4-bit weights stay packed; there are more here. From
    # the width of a sliding window on a mask is needed, by which torch leaves its
    # kernel for another: where grouped keys went through the plain one, for less.
    length = given_options["train.sequence_length"]
    windows = {block.window for block, _ in MODELS[name].decoder.kinds} - {0}
    assume(not any(length < window <= length + more for window in windows))
    device = card(48, capability)
    longer = given_options | {"train.sequence_length": length + more}
    less = allocated(MODELS[name], given_options, device)
    assert allocated(MODELS[name], longer, device) >= less


@settings(deadline=None)
@given(models, options, cards, st.integers(1, 8))
def test_that_more_rows_never_take_less(name, given_options, capability, more):
    # From one row to two a mask comes, as above; here there are two at least.
    device = card(48, capability)
    rows = given_options["train.micro_batch"]
    wider = given_options | {"train.micro_batch": rows + more}
    less = allocated(MODELS[name], given_options, device)
    assert allocated(MODELS[name], wider, device) >= less


@settings(deadline=None)
@given(models, options, cards, st.integers(1, 6))
def test_that_packed_rows_never_take_less_than_as_many_alone(
    name, given_options, capability, rows
):
    # A card without FlashAttention takes grouped keys without a mask through its plain
    # kernel, every score in fp32; the masks of packed rows spare it that.
    grouped = any(b.heads.keys < b.heads.queries for b, _ in MODELS[name].decoder.kinds)
    assume(capability >= (8, 0) or not grouped)
    device = card(48, capability)
    alone, packed = (
        given_options | {"train.micro_batch": rows, "train.packing": packs}
        for packs in (False, True)
    )
    less = allocated(MODELS[name], alone, device)
    assert allocated(MODELS[name], packed, device) >= less


def test_that_masks_of_packed_rows_are_what_one_row_alone_is_spared():
    def forward(**more):
        options = {"train.sequence_length": 4096, "train.packing": True, **more}
        found = estimate_memory(MODELS["llama-3.1-8b"], recipe_of(options), card())
        return found.phase_peaks[MemoryPhase.FORWARD]

    # A byte for each pair, and two for the kernel's bias while a layer is at work.
    pairs = 4096**2
    spared = forward() - forward(**{"train.packing": False})
    assert pairs <= spared <= 3.1 * pairs
    # The package flash-attn is told where texts begin.
    flash = forward(**{"model.attention": "flash"})
    assert forward() - flash == spared


@settings(deadline=None)
@given(models, options, st.integers(1, 64))
def test_that_a_higher_rank_never_takes_less(name, given_options, more):
    # With 32-bit states; for the others see the next law.
    higher = given_options | {"lora.rank": given_options["lora.rank"] + more}
    less = allocated(MODELS[name], given_options)
    assert allocated(MODELS[name], higher) >= less


def test_that_states_shrink_where_the_library_begins_to_pack_and_to_page_them():
    def kept(entries, optimizer):
        held, paged = state_tensors((entries,), 2, optimizer)
        return sum(held), paged

    # 8 bytes a weight up to 4,095 weights; two and two scales a block from then on.
    assert kept(4095, Optimizer.ADAMW_8BIT) == (2 * 16_384, 0)
    assert kept(4096, Optimizer.ADAMW_8BIT) == (2 * 4096 + 2 * 512, 0)
    assert kept(100_000, Optimizer.PAGED_ADAMW_32BIT) == (0, 800_000)
    assert kept(99_999, Optimizer.PAGED_ADAMW_32BIT)[1] == 0
    assert kept(4096, Optimizer.LION) == (16_384, 0)
    assert kept(4096, Optimizer.LION_8BIT) == (4096 + 512, 0)
    assert kept(100_000, Optimizer.PAGED_LION) == (0, 400_000)
    assert kept(100_000, Optimizer.PAGED_LION_8BIT)[1] == 100_000


@settings(deadline=None)
@given(options, st.integers(1, 40), st.integers(1, 8))
def test_that_more_layers_never_take_less(given_options, layers, more):
    config = config_of("llama-3.1-8b", layers)
    deeper = config_of("llama-3.1-8b", layers + more)
    shapes = [ModelArchitecture.from_config(each) for each in (config, deeper)]
    less, larger = (allocated(shape, given_options) for shape in shapes)
    assert larger >= less


@settings(deadline=None)
@given(
    models,
    options,
    cards,
    st.sampled_from(["train.sequence_length", "train.micro_batch", "lora.rank"]),
    st.integers(1, 64),
)
def test_that_more_of_something_frees_little_of_the_card_at_most(
    name, given_options, capability, key, more
):
    # Free blocks may happen to fit the larger tensors, as they do in torch.
    device = card(48, capability)
    less = estimate_memory(MODELS[name], recipe_of(given_options), device)
    grown = given_options | {key: given_options[key] + more}
    larger = estimate_memory(MODELS[name], recipe_of(grown), device)
    assert larger.peak_bytes >= 0.9 * less.peak_bytes


@settings(deadline=None)
@given(models, options, cards)
def test_that_components_sum_to_the_peak_at_each_level(name, given_options, capability):
    recipe, device = recipe_of(given_options), card(48, capability)
    found = estimate_memory(MODELS[name], recipe, device)
    assert all(component.bytes >= 0 for component in found.components)
    peak = found.bytes_up_to(Level.ALLOCATED)
    assert peak == found.phase_peaks[found.phase] == max(found.phase_peaks.values())
    assert peak <= found.bytes_up_to(Level.RESERVED) <= found.peak_bytes
    assert found.peak_bytes == sum(found.by_group().values())
    assert set(found.phase_peaks) == set(MemoryPhase)


@pytest.mark.parametrize(
    ("precision", "compute", "bytes_each"),
    [("fp32", "fp32", 16), ("fp32", "bf16", 16), ("bf16", "bf16", 8)],
)
def test_that_full_training_takes_16_bytes_a_weight_or_half(
    precision, compute, bytes_each
):
    options = {
        "model.precision": precision,
        "model.compute_dtype": compute,
        "lora.adapter_dtype": "fp32",
        "compat.full_training": True,
        "train.accumulation": 1,  # several sum into gradients that stand
    }
    found = estimate_memory(MODELS["llama-3.1-8b"], recipe_of(options), card())
    held = sum(c.bytes for c in found.components if c.group is Group.ADAPTER)
    # Weights, gradients and two states, all in the weights' own format.
    assert round(held / MODELS["llama-3.1-8b"].parameters, 2) == bytes_each


def test_that_65_billion_weights_in_nf4_fit_48_gib():
    # As in the QLoRA paper: rank 64 on all layers, paged optimizer, one row of 512.
    options = {
        "lora.rank": 64,
        "train.sequence_length": 512,
        "train.optimizer": "paged_adamw_32bit",
    }
    model = ModelArchitecture.from_config(LLAMA_65B)
    found = estimate_memory(model, recipe_of(options), card())
    assert found.bytes_up_to(Level.ALLOCATED) > 33 * GIB
    assert found.peak_bytes < 48 * GIB


def test_that_phi_4_mini_takes_its_published_6_to_7_gigabytes():
    # By the tutorials' path: peft's preparation, fp32 adapters of rank 16, all logits.
    options = {
        "train.sequence_length": 512,
        "lora.adapter_dtype": "fp32",
        "compat.upcast_unquantized": True,
        "compat.full_logits": True,
    }
    found = estimate_memory(MODELS["phi-4-mini"], recipe_of(options), card())
    assert 6e9 < found.bytes_up_to(Level.RESERVED) < 7e9
    # The engine's own path needs less.
    own = allocated(MODELS["phi-4-mini"], {"train.sequence_length": 512})
    assert own < 4e9
