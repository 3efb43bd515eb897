"""The dry run against peaks that others measured on a card.

Values: Tesla T4, data/measurements/t4-sweep-2026-09-15.json and
t4-phase3-2026-09-16.json of PyPI's fitcheck-llm 0.3.1 (MIT), in MiB, torch's
max_memory_allocated and max_memory_reserved. The whole comparison is
`python -m tests.bench.vram_truth`.
"""

import json

import pytest

from studio.domain.memory.estimate import Level
from studio.engine.dry_run.breakdown import Traits, estimate_of
from studio.engine.dry_run.card import Card
from studio.engine.dry_run.rehearsal import rehearse
from studio.engine.dry_run.subject import Subject
from studio.engine.model_config import read_config
from tests.bench.vram_truth_prices import CONFIGS, recipe_of
from tests.bench.vram_truth_rows import MIB, tesla_options

pytestmark = pytest.mark.filterwarnings("ignore:.*generation:UserWarning")

TESLA_T4 = Card((7, 5), 14912 * MIB, has_triton=True)


@pytest.mark.parametrize(
    ("model", "quantized", "attention", "rows", "allocated", "reserved"),
    [
        ("SmolLM2-135M", False, "sdpa", (2, 512), 1026.9, 1070),
        ("SmolLM2-135M", False, "eager", (1, 4096), 3180.1, 4476),
        ("SmolLM2-135M", True, "eager", (1, 4096), 3679.3, 5224),
        ("TinyLlama-1.1B", False, "eager", (2, 1024), 3518.1, 4226),
        ("TinyLlama-1.1B", True, "sdpa", (2, 2048), 3895.9, 4750),
        ("Qwen2.5-1.5B", False, "sdpa", (1, 2048), 7402.3, 7766),
    ],
)
def test_that_a_measured_peak_is_predicted(  # noqa: PLR0913, PLR0917 - a row
    tmp_path, model, quantized, attention, rows, allocated, reserved
):
    options = tesla_options(
        quantized=quantized,
        attention=attention,
        rank=32,
        micro_batch=rows[0],
        length=rows[1],
    )
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS[model]), "utf-8")
    config = read_config(tmp_path)
    recording = rehearse(Subject(config, recipe_of(options), TESLA_T4))
    traits = Traits(config.vocab_size, checkpoints=True)
    found = estimate_of(recording, traits, TESLA_T4, 0.0)
    # Loading by several threads, as there, leaves free blocks where it chances to.
    slack = 0.03 if quantized else 0.005
    assert found.bytes_up_to(Level.ALLOCATED) == pytest.approx(
        allocated * MIB, rel=0.002
    )
    assert found.bytes_up_to(Level.RESERVED) == pytest.approx(reserved * MIB, rel=slack)
