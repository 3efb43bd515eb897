"""What tests/gpu does on a card, gone through with models of no size."""

import csv

import pytest

from studio.engine.random_weights import write_random_model
from studio.protocol.event_parts import MemoryPeaks
from tests.gpu.cases import CASES
from tests.gpu.shapes import SHAPES
from tests.gpu.truth import (
    LEVELS,
    case,
    errors,
    measure,
    misses,
    row_of,
    write_config,
    write_table,
)

TINY = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 400,
    "max_position_embeddings": 512,
    "head_dim": 16,
}


@pytest.fixture
def model(tmp_path):
    described = write_config(SHAPES["Llama-3.2-1B"] | TINY, tmp_path / "described")
    write_random_model(described, tmp_path / "model")
    return tmp_path / "model"


def test_that_a_case_is_measured_and_written_with_its_versions(model, tmp_path):
    tiny = case("tiny", train__sequence_length=96, train__micro_batch=2)
    hello, said = measure(tiny, model, tmp_path)
    row = row_of(tiny, hello, said)
    assert row["case"] == "tiny train.sequence_length=96 train.micro_batch=2"
    assert abs(row["error_allocated"]) < 0.04
    assert row["torch"]
    path = write_table([row, row], tmp_path / "measured")
    with path.open() as file:
        first, _ = csv.DictReader(file)
    assert int(first["actual_allocated"]) == said.actual.allocated
    assert set(path.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")


def told(error, ran_out="", **changes):
    row = {f"error_{level}": error for level in LEVELS} | {"ran_out": ran_out}
    return row | changes


def test_that_a_missed_target_is_named_and_a_met_one_is_not():
    assert misses([told(0.005), told(-0.01)]) == []
    assert misses([told(0.02)]) == ["allocated: mean 2.0%, worst 2.0%"]
    far = misses([told(0.0)] * 20 + [told(-0.09)])
    assert [each.partition(":")[0] for each in far] == list(LEVELS)


def test_that_gaps_and_what_ran_out_are_no_errors():
    rows = [told(0.01), told(0.9, ran_out="forward"), told(0.01, error_device=None)]
    assert errors(rows, "device") == (0.01, 0.01)
    with pytest.raises(AssertionError, match="no row tells"):
        errors([told(None)], "device")


def test_that_a_driver_which_tells_nothing_leaves_a_gap(model, tmp_path):
    tiny = case("tiny", train__sequence_length=32)
    hello, said = measure(tiny, model, tmp_path)
    peaks = MemoryPeaks(allocated=1, reserved=1, device=None)
    changed = type(said)(
        **{
            **{name: getattr(said, name) for name in said.__struct_fields__},
            "actual": peaks,
        }
    )
    row = row_of(tiny, hello, changed)
    assert row["actual_device"] is row["error_device"] is None


def test_that_the_cases_are_many_and_reach_every_kind():
    assert len({each.name for each in CASES}) == len(CASES) >= 24
    assert len({each.model for each in CASES}) >= 6
    keys = {key for each in CASES for key, _ in each.options}
    assert {"compat.full_training", "train.checkpointing", "model.attention"} <= keys
    for each in CASES:
        assert each.recipe().contradictions() == []
        assert each.model in SHAPES


@pytest.mark.parametrize("name", SHAPES)
def test_that_each_shape_is_built_small_and_reads_its_own_weights(name, tmp_path):
    from transformers import AutoModelForCausalLM

    small = SHAPES[name] | TINY
    write_random_model(write_config(small, tmp_path / "described"), tmp_path / "m")
    model, told = AutoModelForCausalLM.from_pretrained(
        tmp_path / "m", output_loading_info=True
    )
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    assert model.config.model_type == small["model_type"]


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("Llama-3.2-1B", 1.24),
        ("Qwen2.5-1.5B", 1.54),
        ("SmolLM2-1.7B", 1.71),
        ("Gemma-2-2B", 2.61),
        ("Qwen2.5-7B", 7.62),
        ("Llama-3.1-8B", 8.03),
        ("Phi-4-14B", 14.66),
    ],
)
def test_that_each_shape_has_the_weights_that_were_published(name, billions, tmp_path):
    from studio.engine.random_weights import outline_of

    model = outline_of(write_config(SHAPES[name], tmp_path))
    total = sum(parameter.numel() for parameter in model.parameters())
    assert total / 1e9 == pytest.approx(billions, abs=0.006)
