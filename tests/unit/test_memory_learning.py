from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.domain.hardware import MIB
from studio.domain.memory.estimate import (
    CUDA_CONTEXT_NAME,
    Basis,
    Component,
    Group,
    Level,
    MemoryEstimate,
)
from studio.domain.memory.learning import ENOUGH_RECIPES, Learned, learn, taught
from studio.domain.memory.measurement import (
    Measurement,
    Peaks,
    Prediction,
    RanOut,
    Source,
    Subject,
)

HERE = Subject(
    card="card", driver="580", versions={"torch": "2.13"}, architecture="", recipe=""
)
ESTIMATE = MemoryEstimate(
    components=(
        Component("Tensors", Group.WEIGHTS, 1000 * MIB),
        Component("Fragmentation", Group.OVERHEAD, 100 * MIB, level=Level.RESERVED),
        Component(CUDA_CONTEXT_NAME, Group.OVERHEAD, 300 * MIB, level=Level.DEVICE),
    ),
    phase="backward",
    basis=Basis.DRY_RUN,
    expected_error=0.02,
    reserved_error=0.06,
)


def row(recipe, ratio=1.0, context=None, basis="dry-run", **subject):
    """Took `ratio` of what was predicted, with the usual context assumed."""
    predicted = Peaks(1000 * MIB, 1100 * MIB, 1400 * MIB)
    beside = 300 * MIB if context is None else context
    actual = (round(1000 * MIB * ratio), round(1100 * MIB * ratio))
    return Measurement(
        subject=replace(HERE, recipe=recipe, **subject),
        source=Source.PROBE,
        when=0.0,
        tokens=1024,
        actual=Peaks(*actual, actual[1] + beside),
        predicted={basis: Prediction(predicted, 300 * MIB)},
        context_bytes=context,
    )


def test_that_nothing_is_learned_of_an_unknown_card():
    learned = learn([row("a", 1.1, 200 * MIB, card="another")], HERE)
    assert learned == Learned()
    assert taught(ESTIMATE, learned) == ESTIMATE


def test_that_the_context_is_the_median_of_what_was_measured():
    rows = [row(str(c), context=c * MIB) for c in (410, 400, 900)]
    learned = learn(rows, HERE)
    assert (learned.context_bytes, learned.contexts) == (410 * MIB, 3)


@pytest.mark.parametrize("subject", [{"driver": "570"}, {"versions": {"torch": "2.9"}}])
def test_that_another_driver_or_torch_teaches_nothing_of_the_context(subject):
    assert learn([row("a", context=MIB, **subject)], HERE).context_bytes is None


def test_that_another_library_still_teaches_the_context_but_no_error():
    versions = {"torch": "2.13", "peft": "0.1"}
    learned = learn([row("a", 2.0, 400 * MIB, versions=versions)], HERE)
    assert learned.context_bytes == 400 * MIB
    assert learned.residuals == {}


def test_that_a_measured_context_replaces_the_usual_one_and_says_so():
    changed = taught(ESTIMATE, learn([row("a", context=410 * MIB)], HERE))
    held = {part.name: part.bytes for part in changed.components}
    assert held[CUDA_CONTEXT_NAME] == 410 * MIB
    assert changed.peak_bytes == 1510 * MIB
    assert "CUDA context of 0.40 GiB was measured on this card" in changed.notes[0]


def test_that_a_context_is_named_once_however_often_it_is_put_in():
    twice = ESTIMATE.with_context(MIB).with_context(MIB)
    assert twice == ESTIMATE.with_context(MIB)
    assert len(twice.notes) == 1


def test_that_an_estimate_without_a_context_takes_none():
    bare = replace(ESTIMATE, components=ESTIMATE.components[:1])
    assert bare.with_context(MIB) == bare


def test_that_a_wrong_context_is_no_error_of_what_is_predicted_with_the_right_one():
    # All that was wrong was the context, which is known by now.
    rows = [row("a", context=500 * MIB)]
    residual = learn(rows, HERE).residuals[Basis.DRY_RUN][Level.DEVICE]
    assert residual.low == residual.high == 1.0


def test_that_few_recipes_only_widen_the_range():
    learned = learn([row("a", 1.1), row("b", 1.0)], HERE)
    peak = taught(ESTIMATE, learned).peak(Level.ALLOCATED)
    assert peak.bytes == 1000 * MIB
    assert peak.low_bytes == pytest.approx(980 * MIB)
    assert peak.high_bytes == pytest.approx(1100 * MIB)


def test_that_enough_recipes_narrow_the_range_to_what_was_seen():
    rows = [row(str(n), 1 + n / 1000) for n in range(ENOUGH_RECIPES)]
    changed = taught(ESTIMATE, learn(rows, HERE))
    peak = changed.peak(Level.ALLOCATED)
    assert peak.low_bytes == peak.bytes
    assert peak.high_bytes == pytest.approx(1008 * MIB)
    (note,) = changed.notes
    assert "9 recipes measured on this machine" in note
    assert "which is the range" in note


def test_that_one_recipe_measured_often_counts_once():
    rows = [row("a", 1.05)] * 20
    residual = learn(rows, HERE).residuals[Basis.DRY_RUN][Level.ALLOCATED]
    assert residual.recipes == 1


def test_that_one_error_is_told_as_one():
    (note,) = taught(ESTIMATE, learn([row("a", 1.1)], HERE)).notes
    assert note.startswith("1 recipe measured on this machine took ")
    assert "between" not in note


def test_that_a_basis_learns_from_its_own_errors_alone():
    learned = learn([row("a", 1.3, basis="formula")], HERE)
    assert taught(ESTIMATE, learned).peak(Level.ALLOCATED) == ESTIMATE.peak(
        Level.ALLOCATED
    )


def test_that_memory_which_ran_out_is_no_ratio():
    ended = replace(row("a", 0.5), ran_out=RanOut("load"))
    assert learn([ended], HERE).residuals == {}


@given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=20))
def test_that_a_range_always_holds_its_prediction_and_each_median_error(ratios):
    rows = [row(str(n), ratio) for n, ratio in enumerate(ratios)]
    peak = taught(ESTIMATE, learn(rows, HERE)).peak(Level.ALLOCATED)
    assert peak.low_bytes <= peak.bytes <= peak.high_bytes
    for ratio in ratios:
        assert peak.low_bytes - 1 <= round(peak.bytes * ratio) <= peak.high_bytes + 1
