"""The bars that pages share: judged and rounded in one place."""

from dataclasses import replace

import pytest

from studio.domain.hardware import GIB, TrainingDevice
from studio.domain.memory.estimate import Basis, Component, Group, MemoryEstimate
from studio.ui.pages.bar_states import (
    measured_bar,
    peak_range,
    predicted_bar,
    short_by_bytes,
    verdict_of,
)
from studio.ui.widgets.memory_bar_state import Segment, Verdict


def device(free: float, total: float = 12.0) -> TrainingDevice:
    return TrainingDevice(
        kind="cuda",
        name="Card",
        total_bytes=round(total * GIB),
        free_bytes=round(free * GIB),
        has_bf16=True,
    )


def estimate(peak: float) -> MemoryEstimate:
    return MemoryEstimate(
        components=(
            Component("weights", Group.WEIGHTS, round(peak * GIB / 2)),
            Component("rest", Group.ACTIVATIONS, round(peak * GIB / 2)),
        ),
        phase="backward",
        basis=Basis.FORMULA,
        expected_error=0.1,
    )


@pytest.mark.parametrize(
    ("peak", "verdict"),
    [
        (2.0, Verdict.MUCH_ROOM),
        (8.0, Verdict.FITS),
        (9.9, Verdict.TIGHT),
        (10.63, Verdict.SHORT),
    ],
)
def test_that_a_peak_is_judged_against_what_is_free_now(peak, verdict):
    assert verdict_of(estimate(peak), device(free=10)) is verdict


def test_that_a_shortage_is_what_the_peak_lacks_of_the_free_memory():
    assert short_by_bytes(estimate(11), device(free=10)) == GIB
    assert short_by_bytes(estimate(9), device(free=10)) == 0


def test_that_a_prediction_stands_on_top_of_other_programs():
    bar = predicted_bar(estimate(4), device(free=10))
    assert bar.held(Segment.OTHER) == 2 * GIB
    assert bar.held(Segment.HEADROOM) == GIB // 2
    assert bar.sum_bytes == 12 * GIB
    assert bar.on_card(bar.peak_bytes) == 6 * GIB


def test_that_the_head_room_shrinks_to_what_is_left():
    bar = predicted_bar(estimate(9.75), device(free=10))
    assert bar.held(Segment.HEADROOM) == GIB // 4
    assert bar.held(Segment.FREE) == 0
    assert bar.sum_bytes == 12 * GIB


def test_that_a_run_that_does_not_fit_reaches_beyond_the_card():
    bar = predicted_bar(estimate(11), device(free=10))
    assert bar.held(Segment.HEADROOM) == 0
    assert bar.sum_bytes == 13 * GIB


def test_that_a_measured_bar_has_no_prediction_in_it():
    bar = measured_bar(device(free=10))
    assert bar.measured
    assert bar.peak_bytes is None
    assert bar.figures() == ((Segment.OTHER, "2.00"), (Segment.FREE, "10.00"))


def test_that_a_predicted_peak_is_told_as_a_range():
    assert peak_range(estimate(1)) == "0.90 to 1.10"


def test_that_the_right_edge_is_called_what_it_is():
    processor = replace(device(free=10), kind="cpu")
    assert measured_bar(device(free=10)).limit_name == "card limit"
    assert measured_bar(processor).limit_name == "main memory"
    assert predicted_bar(estimate(1), processor).limit_name == "main memory"
