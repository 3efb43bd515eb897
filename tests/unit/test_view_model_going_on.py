"""What the paused card tells of a run's memory and of its wait."""

from dataclasses import replace
from pathlib import Path

import pytest

from studio.domain.free_wait import FreeWait
from studio.domain.hardware import GIB
from studio.domain.memory.estimate import Basis, Component, Group, MemoryEstimate
from studio.domain.recipe import Recipe
from studio.domain.run import RunSnapshot, RunState
from studio.services.run_need import RunNeed
from studio.ui.pages.run.going_on import GoingOnInputs, going_on
from studio.ui.widgets.memory_bar_state import Segment, Verdict
from tests.ui.desks import reading_with_card, reading_without_card

RUN = RunSnapshot(name="sql-2", directory=Path("sql-2"), state=RunState.PAUSED)
RECIPE = Recipe().with_values({"train.micro_batch": 4, "train.accumulation": 4})
HALF = RECIPE.with_values({"train.micro_batch": 2, "train.accumulation": 8})


def estimate(weights: float, activations: float = 3.0) -> MemoryEstimate:
    return MemoryEstimate(
        components=(
            Component("Weights", Group.WEIGHTS, round(weights * GIB)),
            Component("Activations", Group.ACTIVATIONS, round(activations * GIB)),
        ),
        phase="backward",
        basis=Basis.FORMULA,
        expected_error=0.05,
    )


def inputs(needed: float = 8.24, **more: object) -> GoingOnInputs:
    known = RunNeed(RECIPE, "cuda", estimate(needed - 3.0), None)
    given = {
        "snapshot": RUN,
        "need": known,
        "smaller": (),
        "in_force": RECIPE,
        "reading": reading_with_card(),
    }
    return GoingOnInputs(**{**given, **more})


def test_that_the_bar_shows_the_run_by_component_on_what_is_held_now():
    shown = going_on(inputs())
    assert shown.caption == "On the card now"
    assert shown.words == "**8.24 GiB** needed, **10.89 GiB** free."
    assert shown.bar.figure(Segment.WEIGHTS) == "5.24"
    assert shown.bar.figure(Segment.OTHER) == "1.10"
    assert shown.bar.verdict is Verdict.FITS
    assert shown.mark.words == "Fits"
    assert shown.remedy == ""


def test_that_what_was_measured_beyond_the_prediction_counts():
    known = RunNeed(RECIPE, "cuda", estimate(5.0), round(9.5 * GIB))
    shown = going_on(inputs(need=known))
    assert shown.words.startswith("**9.50 GiB** needed, **10.89 GiB** free.")
    assert "1.50 GiB of it were measured beyond the prediction" in shown.words
    assert shown.bar.figure(Segment.OVERHEAD) == "1.50"


def test_that_the_smallest_program_that_is_enough_is_named():
    shown = going_on(inputs(11.2))
    assert shown.mark.words == "Short by 0.31"
    assert "Enough would be closing firefox (0.38 GiB)." in shown.remedy
    shown = going_on(inputs(11.5))
    assert "closing" not in shown.remedy


def test_that_a_display_server_is_never_named():
    shown = going_on(inputs(11.3, reading=reading_with_card(processes=())))
    assert shown.remedy == (
        "Nothing that the run can do by itself fits what is free now."
    )


def test_that_what_the_run_comes_to_by_itself_is_told_where_it_fits():
    smaller = ((HALF, estimate(6.0)),)
    shown = going_on(inputs(11.5, smaller=smaller))
    assert shown.remedy == (
        "9.00 GiB would do with 2 × 8 rows in place of 4 × 4; the run comes to "
        "that by itself where memory runs out."
    )
    too_large = ((HALF, estimate(8.0)),)
    assert "would do" not in going_on(inputs(11.5, smaller=too_large)).remedy


def test_that_main_memory_is_never_said_to_be_refused():
    known = RunNeed(RECIPE, "cpu", estimate(12.0), None)
    short = reading_without_card(free=4.0)
    smaller = ((HALF, estimate(0.5)),)
    shown = going_on(inputs(need=known, reading=short, smaller=smaller))
    assert shown.caption == "In main memory now"
    assert "by itself where" not in shown.remedy


def test_that_a_run_out_of_memory_says_how_it_goes_on():
    known = RunNeed(HALF, "cuda", estimate(5.0), None)
    shown = going_on(inputs(need=known))
    assert shown.words.endswith(
        "It goes on in less memory: 2 × 8 rows in place of 4 × 4."
    )


@pytest.mark.parametrize(
    ("looks", "state"),
    [
        ([(0.0, 3.0)], "Waits: 3.00 GiB are free."),
        ([(0.0, 9.0), (9.0, 9.0)], "Free: goes on in 9 min 51 s."),
    ],
)
def test_that_the_wait_is_counted_down(looks, state):
    wait = FreeWait(need_bytes=8 * GIB, hold_s=600.0, kind="cuda")
    for now, free in looks:
        wait = wait.seen(reading_with_card(free).device(), now)
    shown = going_on(inputs(wait=wait))
    assert shown.is_waiting
    assert shown.state == f"{state} Only while this window is open."


def test_that_without_a_wait_it_is_offered():
    shown = going_on(inputs())
    assert shown.offer == (
        "Go on by itself when 8.24 GiB have been free for 10 minutes"
    )
    assert (shown.is_waiting, shown.obstacle) == (False, "")
    assert shown.state == "Only while this window is open."


@pytest.mark.parametrize(
    ("need", "words"),
    [
        (RunNeed(RECIPE, "cuda", estimate(12.0), None), "has 11.99 GiB in all"),
        (RunNeed(RECIPE, "cuda", None, None), "is not known"),
    ],
)
def test_that_a_wait_in_vain_is_not_offered(need, words):
    assert words in going_on(inputs(need=need)).obstacle


def test_that_pages_are_named_in_place_of_commands():
    unknown = going_on(inputs(need=RunNeed(RECIPE, "cuda", None, None)))
    absent = going_on(inputs(reading=reading_without_card(free=60.0, total=64.0)))
    assert "The Recipe page finds it out" in unknown.obstacle
    assert "The Hardware page says" in absent.obstacle
    assert "snugtune" not in f"{unknown.obstacle} {absent.obstacle}"


def test_that_a_card_that_does_not_answer_is_not_taken_for_the_processor():
    shown = going_on(inputs(reading=reading_without_card(free=60.0, total=64.0)))
    assert "none answers now" in shown.obstacle


def test_that_a_waiting_run_says_so_while_its_card_is_away():
    wait = FreeWait(need_bytes=8 * GIB, hold_s=600.0, kind="cuda")
    reading = reading_without_card(free=60.0, total=64.0)
    told = going_on(inputs(wait=wait.seen(reading.device(), 0.0), reading=reading))
    assert told.state.startswith("Waits for the card, which does not answer.")
    assert told.is_waiting


def test_that_a_run_that_cannot_be_priced_shows_what_is_free():
    known = RunNeed(RECIPE, "cuda", None, 7 * GIB)
    shown = going_on(inputs(need=known, in_force=None))
    assert shown.words == "**7.00 GiB** needed, **10.89 GiB** free."
    assert shown.bar.measured
    assert replace(shown.bar, measured=False).verdict is None
