"""The Export page's words: what a run left, and what can be made of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import GIB, MIB
from studio.domain.recipe import Recipe
from studio.domain.run import HeldOutPoint, RunSnapshot, RunState, Sample, StepPoint
from studio.ui.pages.export.view_model import (
    ExportInputs,
    MergedFormat,
    export_view,
    exportable,
    merge_bytes,
    phase_words,
    short_path,
)

MODEL = ModelArchitecture.from_config(
    {
        "model_type": "llama",
        "hidden_size": 576,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "intermediate_size": 1536,
        "vocab_size": 49_152,
        "tie_word_embeddings": True,
        "max_position_embeddings": 8192,
    }
)
RUN = RunSnapshot(
    name="cheese-1",
    directory=Path("/runs/cheese-1"),
    state=RunState.FINISHED,
    adapter="adapter",
    total_steps=1,
    steps=(StepPoint(1, 1.0, 1e-4, None, None, 1.0),),
    held_out=(HeldOutPoint(0, 2.0), HeldOutPoint(1, 1.0)),
    samples=(Sample(0, "Brie?", "A city."), Sample(1, "Brie?", "Aye.")),
)
INPUTS = ExportInputs(
    run=RUN,
    recipe=Recipe().with_value("model.name", "owner/Smol"),
    model=MODEL,
    result_bytes=20 * MIB,
    disk_free_bytes=100 * GIB,
    target=Path("/runs/cheese-1/merged"),
)


def test_that_a_result_names_its_run_and_where_its_adapter_lies() -> None:
    view = export_view(INPUTS)
    assert view is not None
    assert view.facts == "cheese-1 · Smol · after 1 step"
    assert view.result_path == str(Path("/runs/cheese-1/adapter"))
    assert view.result_size == "20 MiB"
    assert (
        view.measured == "Held-out loss **2.000** before, **1.000** after: 50 % lower."
    )
    assert view.merged_path == ""


def test_that_a_model_all_of_whose_weights_were_trained_needs_no_merge() -> None:
    whole = replace(RUN, adapter=None, model="model")
    view = export_view(replace(INPUTS, run=whole))
    assert view is not None
    assert view.is_whole
    assert view.result_path == str(Path("/runs/cheese-1/model"))
    assert "a whole model already" in view.merge_refused
    assert not view.need
    assert exportable([whole, RUN]) == (whole, RUN)


def test_that_a_run_without_an_adapter_has_no_result() -> None:
    assert export_view(replace(INPUTS, run=replace(RUN, adapter=None))) is None
    assert export_view(ExportInputs()) is None


@pytest.mark.parametrize(
    ("chosen", "bytes_a_weight"),
    [(MergedFormat.BF16, 2), (MergedFormat.FP16, 2), (MergedFormat.FP32, 4)],
)
def test_that_the_size_of_a_merge_follows_its_format(
    chosen: MergedFormat, bytes_a_weight: int
) -> None:
    need = merge_bytes(replace(INPUTS, merged_format=chosen))
    assert need is not None
    assert need - 32 * MIB == MODEL.parameters * bytes_a_weight


def test_that_the_need_is_told_beside_what_is_free() -> None:
    view = export_view(INPUTS)
    assert view is not None
    assert view.need == "Needs about 0.28 GiB, 100 GiB free"
    assert view.merge_refused == ""


def test_that_a_disk_that_is_too_full_refuses_the_merge_by_how_much() -> None:
    view = export_view(replace(INPUTS, disk_free_bytes=10 * MIB))
    assert view is not None
    assert view.merge_refused == "Short of 0.27 GiB on the disk."
    assert view.ask_refused == ""


def test_that_nothing_is_told_of_a_model_of_unknown_shape() -> None:
    view = export_view(replace(INPUTS, model=None))
    assert view is not None
    assert view.need == "100 GiB free"


def test_that_one_model_is_in_memory_at_a_time() -> None:
    training = export_view(replace(INPUTS, is_training=True))
    assert training is not None
    assert training.merge_refused == training.ask_refused
    assert "one model is in memory at a time" in training.ask_refused


def test_that_a_merged_model_is_shown_where_it_lies() -> None:
    merged = replace(INPUTS, run=replace(RUN, merged="merged"), merged_bytes=GIB)
    view = export_view(merged)
    assert view is not None
    assert view.merged_path == str(Path("/runs/cheese-1/merged"))
    assert view.merged_size == "1.00 GiB"


def test_that_only_ended_runs_with_an_adapter_can_be_exported() -> None:
    running = replace(RUN, state=RunState.RUNNING)
    failed = replace(RUN, state=RunState.FAILED, adapter=None)
    assert exportable([running, failed, RUN]) == (RUN,)


def test_that_an_engine_of_tomorrow_may_name_new_phases() -> None:
    assert phase_words("merging") == "Merging"
    assert phase_words("dreaming") == "dreaming"


def test_that_a_long_path_shows_its_end() -> None:
    path = str(Path("/home") / "me" / "projects" / "runs" / "cheese-1" / "adapter")
    assert short_path(path) == "…/runs/cheese-1/adapter"
    assert short_path(str(Path("a") / "b")) == str(Path("a") / "b")
