"""The dry run against a real card: predicted and actual, for many recipes.

Each recipe runs in a process of its own on random weights of a real shape. The table
goes to tests/gpu/measured/<card>.csv, whether or not the targets are met.
"""

import shutil
from pathlib import Path

import pytest

from studio.engine.random_weights import write_random_model
from tests.gpu.shapes import SHAPES
from tests.gpu.truth import case, measure, misses, row_of, write_config, write_table

pytestmark = [pytest.mark.gpu, pytest.mark.torch, pytest.mark.slow]

MEASURED = Path(__file__).parent / "measured"
BF16 = {"model__precision": "bf16"}
PLAIN = {"train__checkpointing": False}
LONG = {"train__sequence_length": 4096}
PACKED = {"train__packing": True}
OFFLOADED = {"train__offload": True}
EAGER = {"model__attention": "eager"}
FULL = {**BF16, "compat__full_training": True}

# By model, so that each set of weights is made once.
CASES = (
    case("Llama-3.2-1B"),
    case("Llama-3.2-1B", **PLAIN),
    case("Llama-3.2-1B", **BF16, **EAGER),
    case("Llama-3.2-1B", **FULL),
    case("Llama-3.2-1B", **FULL, train__optimizer="adamw_8bit"),
    case("Llama-3.2-1B", **LONG, train__micro_batch=2),
    case("Llama-3.2-1B", **LONG, **PACKED),
    case("Llama-3.2-1B", **LONG, **OFFLOADED, train__micro_batch=4),
    case("Qwen2.5-1.5B"),
    case("Qwen2.5-1.5B", **PACKED, **EAGER),
    case("Qwen2.5-1.5B", **BF16, **PLAIN),
    case("Qwen2.5-1.5B", **EAGER, train__sequence_length=2048),
    case("Qwen2.5-1.5B", **FULL, train__optimizer="paged_adamw_8bit"),
    case("SmolLM2-1.7B", train__micro_batch=4),
    case("SmolLM2-1.7B", **PACKED, **PLAIN, train__micro_batch=4),
    case("SmolLM2-1.7B", **BF16, lora__adapter_dtype="fp32"),
    case("SmolLM2-1.7B", **PLAIN, lora__dropout=0.05),
    case("SmolLM2-1.7B", **FULL, train__optimizer="adamw_foreach"),
    case("Gemma-2-2B"),
    case("Gemma-2-2B", **BF16),
    case("Gemma-2-2B", **EAGER, **PLAIN),
    case("Qwen2.5-7B"),
    case("Qwen2.5-7B", **LONG, train__optimizer="paged_adamw_32bit", lora__rank=64),
    case("Qwen2.5-7B", **BF16),
    case("Qwen2.5-7B", **LONG, **PACKED),
    case("Qwen2.5-7B", model__precision="int8", train__optimizer="adamw_8bit"),
    case("Llama-3.1-8B"),
    case("Llama-3.1-8B", **LONG, model__double_quant=False),
    case("Llama-3.1-8B", **BF16, **LONG),
    case("Llama-3.1-8B", **LONG, **OFFLOADED),
    case("Llama-3.1-8B", **PLAIN, train__sequence_length=2048),
    case("Llama-3.1-8B", train__optimizer="paged_adamw_8bit", lora__rank=128),
    case("Phi-4-14B"),
    case("Phi-4-14B", **LONG, train__optimizer="adamw_8bit"),
    case("Phi-4-14B", **BF16),
)


@pytest.fixture(scope="module")
def rows():
    """What was measured so far; all of it is written at the end."""
    found = []
    yield found
    if found:
        write_table(found, MEASURED)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Makes the folder of a model; one set of weights lies there at a time."""
    folder = tmp_path_factory.mktemp("weights")

    def made(model):
        target = folder / model
        if not target.exists():
            shutil.rmtree(folder)
            described = write_config(SHAPES[model], folder / "described")
            write_random_model(described, target)
        return target

    yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_that_a_recipe_is_measured_on_the_card(case, weights, rows, card, tmp_path):
    hello, said = measure(case, weights(case.model), tmp_path)
    assert hello.device == card
    row = row_of(case, hello, said)
    rows.append(row)
    if said.ran_out is not None:
        needed = said.predicted["dry-run"].allocated
        total = read_total()
        assert needed > 0.9 * total, "the dry run said that it fits"
        pytest.skip(f"{card} is too small for it, as the dry run said")


def read_total():
    import torch

    return torch.cuda.get_device_properties(0).total_memory


def test_that_the_dry_run_meets_its_targets(rows, card):
    # Of one part of the cases, chosen by -k, the targets are not asked.
    if len(rows) < len(CASES):
        pytest.skip(f"{len(rows)} of {len(CASES)} recipes were measured")
    assert misses(rows) == []
