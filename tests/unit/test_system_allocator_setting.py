"""How torch's allocator is set by the environment, and who asks for it."""

from dataclasses import replace

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.formula import estimate_memory
from studio.domain.recipe import Recipe
from studio.services.measured import taught
from studio.system.allocator_setting import expands_segments
from studio.system.versions import deciding_an_estimate
from tests.bench.formula_grid import config_of

NEW, OLD = "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"
CARD = TrainingDevice(
    kind="cuda", name="", total_bytes=24 * GIB, free_bytes=24 * GIB, has_bf16=True
)


@pytest.mark.parametrize(
    ("environment", "expands"),
    [
        ({}, False),
        ({NEW: "expandable_segments:True"}, True),
        ({OLD: "max_split_size_mb:128, expandable_segments:True"}, True),
        ({NEW: "max_split_size_mb:128", OLD: "expandable_segments:True"}, False),
        ({NEW: "expandable_segments:False"}, False),
        ({NEW: "nonsense"}, False),
    ],
)
def test_that_the_newer_name_decides(environment, expands):
    assert expands_segments(environment) is expands


def test_that_a_dry_run_is_kept_apart_by_it(monkeypatch):
    monkeypatch.delenv(NEW, raising=False)
    monkeypatch.delenv(OLD, raising=False)
    usual = deciding_an_estimate()
    monkeypatch.setenv(NEW, "expandable_segments:True")
    assert deciding_an_estimate() != usual


def test_that_a_formula_says_that_it_does_not_follow_it(monkeypatch):
    monkeypatch.setenv(NEW, "expandable_segments:True")
    model = ModelArchitecture.from_config(config_of("llama-3.1-8b", 2))
    found = estimate_memory(model, Recipe(), CARD)
    assert any("only the dry run follows" in note for note in taught(found, CARD).notes)
    on_processor = replace(CARD, kind="cpu")
    there = taught(estimate_memory(model, Recipe(), on_processor), on_processor)
    assert not any("only the dry run follows" in note for note in there.notes)
