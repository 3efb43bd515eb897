import hashlib
import json
from dataclasses import replace

import pytest

from studio.domain.errors import ExitCode, StudioError
from studio.domain.finding import Finding
from studio.domain.hardware import GIB, MIB, TrainingDevice
from studio.domain.memory.estimate import CUDA_CONTEXT_NAME, Basis, Level
from studio.domain.memory.measurement import (
    Measurement,
    Peaks,
    Prediction,
    RanOut,
    Source,
)
from studio.domain.recipe import Recipe
from studio.services import pricing
from studio.services.measured import learned, measured, subject_here, taught
from studio.storage.measurements import MeasurementTable
from studio.storage.models import ModelPlace, ModelState
from studio.system.paths import measurements_path

CARD = TrainingDevice(
    kind="cuda",
    name="Card",
    total_bytes=24 * GIB,
    free_bytes=24 * GIB,
    has_bf16=True,
    compute_capability=(8, 9),
    driver="580",
)
CONFIG = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
}
PLACE = ModelPlace(name="m", title="m", state=ModelState.READY, config=CONFIG)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))


def keep(recipe=None, device=CARD, **changes):
    values = {
        "subject": subject_here(device, CONFIG, recipe or Recipe()),
        "source": Source.PROBE,
        "when": 0.0,
        "tokens": 1024,
        "actual": Peaks(5 * GIB, 6 * GIB, 7 * GIB),
        "phase": "backward",
        "context_bytes": 410 * MIB,
    }
    MeasurementTable(measurements_path()).add(Measurement(**{**values, **changes}))


def context_of(estimate):
    return {c.name: c.bytes for c in estimate.components}[CUDA_CONTEXT_NAME]


def test_that_what_was_measured_is_found_by_recipe_and_card():
    keep()
    found = measured(Recipe(), CONFIG, CARD)
    assert found.basis is Basis.MEASURED
    assert found.peak_bytes == 7 * GIB


@pytest.mark.parametrize(
    ("recipe", "device"),
    [
        (Recipe().with_value("lora.rank", 8), CARD),
        (Recipe(), replace(CARD, driver="570")),
        (Recipe(), replace(CARD, name="Another")),
    ],
)
def test_that_what_was_not_measured_is_refused_with_the_way_to_measure(recipe, device):
    keep()
    with pytest.raises(StudioError) as refused:
        measured(recipe, CONFIG, device)
    finding = refused.value.finding
    assert finding.code == "estimate.not-measured"
    assert "snugtune estimate --measure" in finding.how_to_fix


def test_that_a_recipe_which_ran_out_is_told_so():
    keep(ran_out=RanOut("backward", GIB, 23 * GIB))
    with pytest.raises(StudioError) as refused:
        measured(Recipe(), CONFIG, CARD)
    assert refused.value.exit_code is ExitCode.OUT_OF_MEMORY
    assert "asked for 1.00 GiB more" in refused.value.finding.what


def test_that_data_count_by_their_content(tmp_path):
    data = tmp_path / "chats.jsonl"
    data.write_text("one")
    recipe = Recipe().with_value("data.path", str(data))
    keep(recipe)
    assert measured(recipe, CONFIG, CARD).peak_bytes == 7 * GIB
    digest = hashlib.sha256(b"one").hexdigest()
    assert subject_here(CARD, CONFIG, recipe).data == digest
    data.write_text("other")
    with pytest.raises(StudioError):
        measured(recipe, CONFIG, CARD)


def test_that_data_which_are_gone_are_named(tmp_path):
    recipe = Recipe().with_value("data.path", str(tmp_path / "gone.jsonl"))
    with pytest.raises(StudioError) as refused:
        measured(recipe, CONFIG, CARD)
    assert "gone.jsonl" in refused.value.finding.sentence()


def test_that_a_price_uses_the_context_of_the_card_and_says_so():
    before = pricing.price(Recipe(), PLACE, CARD)
    keep()
    after = pricing.price(Recipe(), PLACE, CARD)
    assert before.notes == ()
    assert context_of(after) == 410 * MIB
    assert "measured on this card" in after.notes[0]
    difference = context_of(after) - context_of(before)
    assert after.peak_bytes - before.peak_bytes == difference


def test_that_a_proposal_reckons_with_the_context_of_the_card():
    before = pricing.propose_for(Recipe(), PLACE, CARD)
    keep(context_bytes=3 * GIB)
    after = pricing.propose_for(Recipe(), PLACE, CARD)
    assert not isinstance(before, Finding)
    assert context_of(after.estimate) == 3 * GIB > context_of(before.estimate)


def test_that_a_new_row_is_seen_at_once():
    keep(context_bytes=100 * MIB)
    assert learned(CARD).contexts == 1
    keep(context_bytes=300 * MIB)
    assert (learned(CARD).contexts, learned(CARD).context_bytes) == (2, 200 * MIB)


def test_that_an_error_of_this_machine_widens_the_range():
    plain = pricing.price(Recipe(), PLACE, CARD)
    said = Prediction.of(plain)
    twice = Peaks(*(2 * said.peaks.at(level) for level in Level))
    keep(predicted={"formula": said}, actual=twice, context_bytes=None)
    peak = pricing.price(Recipe(), PLACE, CARD).peak(Level.ALLOCATED)
    assert peak.high_bytes == pytest.approx(2 * peak.bytes)


def test_that_a_table_of_a_newer_program_teaches_nothing_and_refuses_in_words():
    keep()
    with measurements_path().open("ab") as table:
        table.write(json.dumps({"version": 9}).encode() + b"\n")
    estimate = pricing.price(Recipe(), PLACE, CARD)
    assert taught(estimate, CARD) == estimate
    with pytest.raises(StudioError) as refused:
        measured(Recipe(), CONFIG, CARD)
    assert "newer Snugtune" in refused.value.finding.sentence()
