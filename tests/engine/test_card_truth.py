"""The dry run against what a real card took; the whole table: tests/gpu/repriced.py."""

import pytest

from tests.gpu.cases import CASES
from tests.gpu.repriced import measured_rows, reprice

pytestmark = pytest.mark.torch

FULL = "model.precision=bf16 compat.full_training=True"
SOME = (
    "Llama-3.2-1B",
    f"Llama-3.2-1B {FULL}",
    "Llama-3.2-1B train.sequence_length=4096 train.packing=True",
    "Llama-3.2-1B train.sequence_length=4096 train.offload=True train.micro_batch=4",
    f"Qwen2.5-1.5B {FULL} train.optimizer=paged_adamw_8bit",
    "Qwen2.5-1.5B model.precision=bf16 train.checkpointing=False",
    "SmolLM2-1.7B train.checkpointing=False lora.dropout=0.05",
    "Gemma-2-2B model.attention=eager",
)


@pytest.fixture(scope="module")
def rows():
    return {case.name: (case, row) for case, row in measured_rows()}


@pytest.mark.parametrize("name", SOME)
def test_that_a_dry_run_says_what_the_card_took(name, rows, tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path))
    found = reprice(*rows[name]).errors("dry run")
    assert abs(found["error_allocated"]) < 0.01
    assert abs(found["error_reserved"]) < 0.035
    if found["error_device"] is not None:
        assert abs(found["error_device"]) < 0.03


def test_that_every_recipe_of_the_table_was_measured(rows):
    assert set(rows) == {case.name for case in CASES}
