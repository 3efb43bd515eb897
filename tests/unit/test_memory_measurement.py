import pytest

from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.estimate import (
    CUDA_CONTEXT_NAME,
    Basis,
    Component,
    Group,
    Level,
    MemoryEstimate,
)
from studio.domain.memory.measured import measured_estimate, rows_of
from studio.domain.memory.measurement import (
    Measurement,
    MemoryComparison,
    Peaks,
    Prediction,
    RanOut,
    Source,
    Subject,
    architecture_key,
    card_key,
    recipe_key,
)
from studio.domain.recipe import Recipe

SUBJECT = Subject(
    card="cuda, Card, 24576 MiB, 8.9",
    driver="580",
    versions={"torch": "2.13.0"},
    architecture="a",
    recipe="r",
)


def row(subject=SUBJECT, when=0.0, actual=(2 * GIB, 3 * GIB, 4 * GIB), **changes):
    values = {
        "subject": subject,
        "source": Source.PROBE,
        "when": when,
        "tokens": 1024,
        "actual": Peaks(*actual),
        "phase": "backward",
        "context_bytes": GIB,
    }
    return Measurement(**{**values, **changes})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.name", "elsewhere"),
        ("data.path", "other.jsonl"),
        ("train.seed", 7),
        ("train.learning_rate", 1e-5),
        ("train.max_steps", 5),
        ("lora.alpha", 1),
        ("lora.variant", "rslora"),
        ("lora.plus_ratio", 16.0),
        ("train.floor", 0.1),
        ("train.clipping", 0.3),
    ],
)
def test_that_recipes_which_take_the_same_memory_share_a_key(key, value):
    assert recipe_key(Recipe().with_value(key, value)) == recipe_key(Recipe())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model.precision", "bf16"),
        ("lora.rank", 8),
        ("lora.variant", "dora"),
        ("train.micro_batch", 2),
        ("train.sequence_length", 512),
        ("train.optimizer", "adamw_8bit"),
        ("data.held_out", 0.0),
        ("compat.full_training", True),
    ],
)
def test_that_recipes_which_differ_in_memory_differ_in_their_key(key, value):
    assert recipe_key(Recipe().with_value(key, value)) != recipe_key(Recipe())


def test_that_a_faster_b_counts_where_a_step_holds_a_group_at_once():
    foreach = Recipe().with_value("train.optimizer", "adamw_foreach")
    plus = foreach.with_value("lora.plus_ratio", 16.0)
    assert recipe_key(plus) != recipe_key(foreach)
    assert recipe_key(plus) == recipe_key(plus.with_value("lora.plus_ratio", 4.0))


def test_that_an_architecture_is_known_whatever_its_order_and_history():
    one = {"hidden_size": 8, "model_type": "llama", "transformers_version": "5.0"}
    other = {"model_type": "llama", "_name_or_path": "/x", "hidden_size": 8}
    assert architecture_key(one) == architecture_key(other)
    assert architecture_key(one) != architecture_key({**one, "hidden_size": 16})


def test_that_equal_cards_share_a_key_and_free_memory_does_not_count():
    def device(**changes):
        values = {"kind": "cuda", "name": "RTX", "total_bytes": 24 * GIB}
        values |= {"free_bytes": GIB, "has_bf16": True, "compute_capability": (8, 9)}
        return TrainingDevice(**{**values, **changes})

    assert card_key(device()) == "cuda, RTX, 24576 MiB, 8.9"
    assert card_key(device(free_bytes=0, driver="1")) == card_key(device())
    assert card_key(device(total_bytes=12 * GIB)) != card_key(device())
    assert card_key(device(compute_capability=(9, 0))) != card_key(device())


def test_that_a_prediction_keeps_what_was_assumed_for_the_context():
    estimate = MemoryEstimate(
        components=(
            Component("Tensors", Group.WEIGHTS, 10),
            Component("Fragmentation", Group.OVERHEAD, 5, level=Level.RESERVED),
            Component(CUDA_CONTEXT_NAME, Group.OVERHEAD, 3, level=Level.DEVICE),
        ),
        phase="backward",
        basis=Basis.DRY_RUN,
        expected_error=0.02,
    )
    assert Prediction.of(estimate) == Prediction(Peaks(10, 15, 18), 3)


def test_that_peaks_join_level_by_level():
    joined = Peaks(1, None, 5).joined(Peaks(2, 3, None))
    assert joined == Peaks(2, 3, 5)
    assert joined.outermost() == (Level.DEVICE, 5)
    assert Peaks(1).outermost() == (Level.ALLOCATED, 1)
    assert Peaks().outermost() is None


def test_that_a_comparison_speaks_of_the_outermost_level_that_both_tell():
    predicted = {"formula": Peaks(1, 1, 1), "dry-run": Peaks(GIB, 2 * GIB, 4 * GIB)}
    compared = MemoryComparison.best_of(Peaks(GIB, int(2.02 * GIB)), predicted, 300)
    assert compared.basis is Basis.DRY_RUN
    assert compared.sentence() == (
        "Used 2.02 GiB (reserved), predicted 2.00 GiB by dry-run for its longest row "
        "of 300 tokens: 1.0% over."
    )
    assert compared.document()["actual_bytes"]["device"] is None


def test_that_nothing_is_compared_without_a_prediction():
    assert MemoryComparison.best_of(Peaks(1, 1, 1), {}, 300) is None
    nothing = MemoryComparison(Basis.FORMULA, Peaks(1, 1, 1), Peaks(), 300)
    assert nothing.sentence() == ""


def test_that_memory_which_ran_out_is_told_in_a_sentence():
    told = RanOut("backward", int(1.25 * GIB), 23 * GIB).sentence()
    assert told == (
        "It does not fit: in the phase backward it asked for 1.25 GiB more with "
        "23.00 GiB held."
    )
    assert RanOut("load").sentence().endswith("it asked for more.")


def test_that_a_measurement_becomes_an_estimate_that_sums_to_it():
    found = measured_estimate([row(phases={"load": Peaks(GIB, GIB, GIB)})])
    assert found.basis is Basis.MEASURED
    assert [found.bytes_up_to(level) for level in Level] == [2 * GIB, 3 * GIB, 4 * GIB]
    assert found.phase_peaks == {"load": GIB}
    assert found.peak(Level.DEVICE).low_bytes == found.peak(Level.DEVICE).high_bytes
    assert "Measured once" in found.notes[0]


def test_that_several_measurements_of_a_recipe_span_its_range():
    rows = [row(when=2.0), row(when=1.0, actual=(2 * GIB, 3 * GIB, 5 * GIB))]
    peak = measured_estimate(rows).peak(Level.DEVICE)
    assert (peak.bytes, peak.low_bytes, peak.high_bytes) == (4 * GIB, 4 * GIB, 5 * GIB)


def test_that_what_lies_beside_allocator_and_context_has_a_part_of_its_own():
    found = measured_estimate([row(context_bytes=GIB // 4)])
    held = {part.name: part.bytes for part in found.components}
    assert held[CUDA_CONTEXT_NAME] == GIB // 4
    assert held["Beside torch’s allocator"] == GIB - GIB // 4


def test_that_only_rows_of_the_very_subject_are_taken_newest_first():
    other = Subject(
        card=SUBJECT.card, driver="570", versions={}, architecture="a", recipe="r"
    )
    rows = [row(when=1.0), row(other, when=3.0), row(when=2.0)]
    assert [found.when for found in rows_of(rows, SUBJECT)] == [2.0, 1.0]


def test_that_a_row_which_tells_its_process_alone_is_left_out():
    assert rows_of([row(actual=(None, None, GIB))], SUBJECT) == []


def test_that_rows_of_full_length_stand_for_data_that_was_not_measured():
    with_data = Subject(
        card=SUBJECT.card,
        driver=SUBJECT.driver,
        versions=SUBJECT.versions,
        architecture="a",
        recipe="r",
        data="d",
    )
    assert rows_of([row()], with_data) == [row()]
    both = [row(), row(with_data, when=-1.0)]
    assert [found.subject.data for found in rows_of(both, with_data)] == ["d"]
