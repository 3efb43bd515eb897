"""The memory bar's figures and words, without a window."""

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.ui.text import GIB
from studio.ui.widgets.memory_bar_layout import (
    Label,
    Span,
    blended,
    clear_of,
    label_for,
    neighbour,
    segment_at,
    spans,
    tick_step_gib,
    ticks_gib,
)
from studio.ui.widgets.memory_bar_state import (
    MemoryBarState,
    Segment,
    Verdict,
    rounded_hundredths,
)

S = Segment


def gib(amount: float) -> int:
    return round(amount * GIB)


def a_run_that_fits() -> MemoryBarState:
    return MemoryBarState.filled(
        gib(11.99),
        {
            S.OTHER: gib(1.10),
            S.WEIGHTS: gib(5.17),
            S.ADAPTER: gib(0.30),
            S.ACTIVATIONS: gib(1.85),
            S.LOSS: gib(0.34),
            S.OVERHEAD: gib(0.58),
            S.HEADROOM: gib(0.50),
        },
        verdict=Verdict.FITS,
        band=(gib(8.24), gib(8.12), gib(8.46)),
    )


def test_that_the_state_can_be_built_without_qt():
    code = (
        "import sys, studio.ui.widgets.memory_bar_state, studio.ui.widgets.marks;"
        "print([m for m in sys.modules if m.startswith('PySide6')])"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said.strip() == "[]"


def test_that_free_memory_is_what_the_other_segments_leave():
    state = a_run_that_fits()
    assert state.sum_bytes == state.total_bytes
    assert dict(state.figures())[S.FREE] == "2.15"


def test_that_segments_are_put_in_the_fixed_order():
    state = MemoryBarState.filled(gib(4), {S.LOSS: 1, S.OTHER: 2, S.WEIGHTS: 3})
    assert [s for s, _ in state.segments] == [S.OTHER, S.WEIGHTS, S.LOSS, S.FREE]


@pytest.mark.parametrize(
    "segments",
    [
        ((S.WEIGHTS, 4), (S.OTHER, 6)),
        ((S.OTHER, 5), (S.OTHER, 5)),
        ((S.OTHER, -1), (S.FREE, 11)),
        ((S.OTHER, 3),),
    ],
    ids=["out of order", "twice", "negative", "free memory missing"],
)
def test_that_a_false_picture_is_refused(segments):
    with pytest.raises(ValueError, match=r"segment"):
        MemoryBarState(total_bytes=10, segments=segments)


def test_that_a_run_that_is_short_grows_the_scale_to_its_sum():
    state = MemoryBarState.filled(
        gib(8), {S.WEIGHTS: gib(7), S.LOSS: gib(2)}, verdict=Verdict.SHORT
    )
    assert state.scale_bytes == gib(9)
    assert state.held(S.FREE) == 0


def test_that_the_band_stands_on_the_other_programs():
    state = a_run_that_fits()
    assert state.on_card(state.low_bytes) == gib(1.10) + gib(8.12)
    assert state.on_card(None) is None


@given(st.lists(st.integers(0, 200 * GIB), min_size=1, max_size=9))
def test_that_rounded_figures_add_up_to_the_rounded_sum(sizes):
    rounded = rounded_hundredths(sizes)
    assert sum(rounded) == round(sum(size * 100 / GIB for size in sizes))
    for size, figure in zip(sizes, rounded, strict=True):
        assert abs(figure - size * 100 / GIB) < 1


@given(
    st.integers(GIB, 200 * GIB),
    st.lists(st.floats(0, 0.14), min_size=7, max_size=7),
)
def test_that_figures_in_the_bar_always_add_up_to_the_card(total, shares):
    used = dict(zip(list(Segment)[:-1], (int(s * total) for s in shares), strict=True))
    state = MemoryBarState.filled(total, used)
    figures = sum(round(float(figure) * 100) for _, figure in state.figures())
    assert figures == round(float(state.total_figure()) * 100)


def test_that_the_picture_is_read_aloud_in_full():
    assert a_run_that_fits().description() == (
        "Memory: fits. Other programs 1.10, weights 5.17, adapter + optimizer 0.30, "
        "activations 1.85, loss 0.34, overhead 0.58, head-room 0.50, free 2.15 "
        "of 11.99 GiB"
    )


def test_that_a_bar_not_priced_says_so_instead_of_zero():
    words = MemoryBarState.not_priced(gib(12)).description()
    assert words == "Memory: not priced yet. Card limit 12.00 GiB"


def test_that_a_live_reading_names_what_it_cannot_tell_apart():
    state = MemoryBarState.filled(
        gib(12), {S.WEIGHTS: gib(5), S.ACTIVATIONS: gib(2)}, measured=True
    )
    assert state.name(S.ACTIVATIONS) == "Activations, loss, overhead"
    run = MemoryBarState.filled(gib(12), {S.ACTIVATIONS: gib(7)}, measured=True)
    assert run.name(S.ACTIVATIONS) == "This run"
    assert a_run_that_fits().name(S.ACTIVATIONS) == "Activations"


@given(st.integers(1, 3000), st.lists(st.integers(0, 9), min_size=7, max_size=7))
def test_that_spans_neither_overlap_nor_gape(width, held):
    used = {s: n * GIB for s, n in zip(list(Segment)[:-1], held, strict=True)}
    state = MemoryBarState.filled(24 * GIB, used)
    placed = spans(state, width, state.scale_bytes)
    assert placed[0].left == 0
    assert placed[-1].right == width
    for left, right in pairwise(placed):
        assert left.right == right.left


@pytest.mark.parametrize(
    ("shown", "step"),
    [
        (4, 0.5),
        (6, 1),
        (8, 1),
        (11.99, 2),
        (24, 4),
        (80, 16),
        (141, 25),
        (1500, 250),
    ],
)
def test_that_axis_ticks_are_round_and_about_a_sixth_of_what_is_shown(shown, step):
    assert tick_step_gib(gib(shown)) == step


def test_that_ticks_end_before_the_right_edge():
    assert ticks_gib(gib(11.99)) == [0, 2, 4, 6, 8, 10]


@pytest.mark.parametrize(
    ("width", "shown"), [(200, "Weights 5.17"), (60, "5.17"), (20, None)]
)
def test_that_a_label_gives_way_name_first(width, shown):
    label = label_for(
        Span(S.WEIGHTS, 0, width), "Weights", "5.17", lambda t: 8 * len(t)
    )
    said = None if label is None else f"{label.name} {label.figure}".strip()
    assert said == shown


@pytest.mark.parametrize(
    ("marks", "left"), [([], 10), ([200], 10), ([30], 38), ([30, 50], 58), ([90], 10)]
)
def test_that_a_label_stands_clear_of_the_lines_across_the_bar(marks, left):
    label = Label("Weights", "5.17", inset=10)
    extent = 80 if marks == [90] else 40
    assert clear_of(label, Span(S.WEIGHTS, 0, 110), extent, marks).inset == left


def test_that_arrows_stop_at_the_ends_and_skip_what_is_empty():
    placed = (Span(S.OTHER, 0, 5), Span(S.LOSS, 5, 5), Span(S.FREE, 5, 9))
    assert neighbour(placed, None, 1) is S.OTHER
    assert neighbour(placed, S.OTHER, 1) is S.FREE
    assert neighbour(placed, S.FREE, 1) is S.FREE
    assert neighbour((), None, 1) is None


def test_that_a_position_belongs_to_one_segment():
    placed = (Span(S.OTHER, 0, 5), Span(S.FREE, 5, 9))
    assert [segment_at(placed, x) for x in (0, 4.9, 5, 9)] == [
        S.OTHER,
        S.OTHER,
        S.FREE,
        None,
    ]


def test_that_a_new_segment_grows_from_nothing():
    new = (Span(S.OTHER, 0, 10), Span(S.LOSS, 10, 30))
    half = blended((Span(S.OTHER, 0, 20),), new, 0.5)
    assert half == (Span(S.OTHER, 0, 15), Span(S.LOSS, 10, 20))
