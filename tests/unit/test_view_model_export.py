"""The Export page's words: what a run left, and what can be made of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import GIB, MIB
from studio.domain.recipe import Recipe
from studio.domain.run import HeldOutPoint, RunSnapshot, RunState, Sample, StepPoint
from studio.services.certificates import Certificate, ComparedRow
from studio.services.exporters import FormOffer
from studio.services.exports import ExportedFiles, OtherFiles
from studio.ui.pages.export.artefacts import CertificateView, form_rows, headings
from studio.ui.pages.export.view_model import (
    ExportInputs,
    MergedFormat,
    export_bytes,
    export_view,
    exportable,
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
    kinds=("adapter", "merged"),
    disk_free_bytes=100 * GIB,
    target=Path("/exports/cheese-1"),
)
CERTIFICATE = Certificate(
    is_proven=True,
    run="cheese-1",
    format="bf16",
    rows=(ComparedRow(title="Divergence", trained="0", exported="0.1"),),
    findings=(),
    page=Path("/exports/cheese-1/merged/parity.html"),
    made_at=0.0,
)
LIES = ExportedFiles(
    folder=Path("/exports/cheese-1"),
    adapter_bytes=MIB,
    merged=Path("/exports/cheese-1/merged"),
    merged_bytes=GIB,
    certificate=CERTIFICATE,
)


def test_that_a_result_names_its_run_and_where_it_would_be_exported() -> None:
    view = export_view(INPUTS)
    assert view is not None
    assert view.facts == "cheese-1 · Smol · after 1 step"
    assert view.target == str(Path("/exports/cheese-1"))
    assert view.result_size == "20 MiB"
    assert (
        view.measured == "Held-out loss **2.000** before, **1.000** after: 50 % lower."
    )
    assert view.merged_size == "about 289 MiB"
    assert (view.exported, view.made, view.certificates) == ("", "", ())


def test_that_a_model_all_of_whose_weights_were_trained_needs_no_merge() -> None:
    whole = replace(RUN, adapter=None, model="model")
    view = export_view(replace(INPUTS, run=whole))
    assert view is not None
    assert view.is_whole
    assert "a whole model already" in view.export_refused
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
    need = export_bytes(replace(INPUTS, merged_format=chosen, kinds=("merged",)))
    assert need is not None
    assert need - 32 * MIB == MODEL.parameters * bytes_a_weight


def test_that_an_adapter_is_written_twice_for_its_zip() -> None:
    alone = export_bytes(replace(INPUTS, kinds=("adapter",), model=None))
    assert alone == 40 * MIB + 32 * MIB
    both = export_bytes(INPUTS)
    merged = export_bytes(replace(INPUTS, kinds=("merged",)))
    assert both is not None
    assert merged is not None
    assert both - merged == 40 * MIB


def test_that_the_need_is_told_beside_what_is_free() -> None:
    view = export_view(INPUTS)
    assert view is not None
    assert view.need == "Needs about 0.32 GiB, 100 GiB free"
    assert view.export_refused == ""


def test_that_a_disk_that_is_too_full_refuses_the_export_by_how_much() -> None:
    view = export_view(replace(INPUTS, disk_free_bytes=10 * MIB))
    assert view is not None
    assert view.export_refused == "Short of 0.31 GiB on the disk."
    assert view.ask_refused == ""


def test_that_nothing_is_told_of_a_model_of_unknown_shape() -> None:
    view = export_view(replace(INPUTS, model=None))
    assert view is not None
    assert view.need == "100 GiB free"


def test_that_one_model_is_in_memory_at_a_time() -> None:
    training = export_view(replace(INPUTS, is_training=True))
    assert training is not None
    assert training.export_refused == training.ask_refused
    assert "one model is in memory at a time" in training.ask_refused


def test_that_nothing_is_made_where_nothing_is_ticked() -> None:
    view = export_view(replace(INPUTS, kinds=()))
    assert view is not None
    assert view.export_refused == "Tick what shall be made."


def test_that_what_was_exported_is_shown_with_its_certificate() -> None:
    view = export_view(replace(INPUTS, exported=LIES))
    assert view is not None
    assert view.exported == str(LIES.folder)
    assert view.merged_size == "1.00 GiB"
    (certificate,) = view.certificates
    assert certificate.rows == CERTIFICATE.rows
    assert certificate.note.endswith(", BF16")


@pytest.mark.parametrize(
    ("lies", "words", "is_doubtful"),
    [
        (LIES, "Exported and proven", False),
        (replace(LIES, certificate=None), "Exported", False),
        (
            replace(LIES, certificate=replace(CERTIFICATE, is_proven=False)),
            "Exported, though it differs",
            True,
        ),
        (
            replace(
                LIES,
                is_aside=True,
                certificate=replace(CERTIFICATE, is_proven=False),
            ),
            "The model was kept aside",
            True,
        ),
    ],
)
def test_that_what_lies_there_is_told_in_a_word(
    lies: ExportedFiles, words: str, is_doubtful: bool
) -> None:
    view = export_view(replace(INPUTS, exported=lies))
    assert view is not None
    assert (view.made, view.is_doubtful) == (words, is_doubtful)


OFFERS = (
    FormOffer(kind="gguf:q8_0", title="GGUF Q8_0", use="for all", most_bytes=GIB),
    FormOffer(kind="gguf:f16", title="GGUF F16", use="", doubts="Words are unknown."),
    FormOffer(kind="gguf:q6_k", title="GGUF Q6_K", use="", refused="No quantiser."),
    FormOffer(kind="gguf:q4_k", title="GGUF Q4_K", use="", refused="No quantiser."),
)
OTHER = OtherFiles(
    kind="gguf:q8_0",
    title="GGUF Q8_0",
    folder=Path("/exports/cheese-1/gguf-q8_0"),
    size_bytes=3 * MIB,
    is_aside=False,
    certificate=CERTIFICATE,
)


def test_that_forms_that_can_t_be_had_share_a_row_by_their_reason() -> None:
    rows = form_rows(OFFERS, None)
    assert [(row.title, row.use, row.size, row.refused) for row in rows] == [
        ("GGUF Q8_0", "for all", "up to 1.00 GiB", ""),
        ("GGUF F16", "Words are unknown.", "", ""),
        ("GGUF Q6_K, GGUF Q4_K", "", "", "No quantiser."),
    ]
    assert [row.is_doubtful for row in rows] == [False, True, False]


def test_that_a_form_s_own_size_is_told_once_it_was_made() -> None:
    rows = form_rows(OFFERS, replace(LIES, others=(OTHER,)))
    assert rows[0].size == "3 MiB"


def test_that_a_form_needs_a_merge_unless_a_proven_one_lies_there() -> None:
    inputs = replace(INPUTS, kinds=("gguf:q8_0",), offers=OFFERS)
    alone, beside = export_bytes(inputs), export_bytes(replace(inputs, exported=LIES))
    merged = export_bytes(replace(INPUTS, kinds=("merged",)))
    assert alone is not None
    assert merged is not None
    assert alone - merged == GIB
    assert beside == GIB + 32 * MIB
    aside = replace(LIES, is_aside=True)
    assert export_bytes(replace(inputs, exported=aside)) == alone


def test_that_no_need_is_told_while_a_form_s_size_is_unknown() -> None:
    inputs = replace(INPUTS, kinds=("merged", "gguf:f16"), offers=OFFERS)
    assert export_bytes(inputs) is None


@pytest.mark.parametrize(
    ("other", "words", "doubtful"),
    [
        (OTHER, "Exported and proven", False),
        (replace(OTHER, certificate=None), "Exported, not all compared", False),
        (
            replace(OTHER, certificate=None, is_aside=True),
            "Kept aside: GGUF Q8_0",
            True,
        ),
        (
            replace(OTHER, certificate=replace(CERTIFICATE, is_proven=False)),
            "Exported, though it differs",
            True,
        ),
    ],
)
def test_that_what_exporters_made_is_told_in_a_word(
    other: OtherFiles, words: str, doubtful: bool
) -> None:
    view = export_view(replace(INPUTS, exported=replace(LIES, others=(other,))))
    assert view is not None
    assert (view.made, view.is_doubtful) == (words, doubtful)
    assert [each.title for each in view.certificates] == ["Merged", "GGUF Q8_0"]
    assert headings(view.certificates) == ("Merged", "Q8_0")


def test_that_exporters_of_one_form_are_told_by_their_whole_titles() -> None:
    shown = [CertificateView(title=title) for title in ("GGUF Q8_0", "Other Q8_0")]
    assert headings(shown) == ("GGUF Q8_0", "Other Q8_0")


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
