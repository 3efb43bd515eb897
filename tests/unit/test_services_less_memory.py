"""When going on in less memory is offered, and in which words."""

from dataclasses import replace
from pathlib import Path

import pytest

from studio.domain.finding import error, warning
from studio.domain.recipe import Recipe
from studio.domain.run import MemoryPoint, RunSnapshot, RunState
from studio.services.cancelled import CANCELLED
from studio.services.less_memory import less_memory_words
from tests.ui.desks import reading_with_card, reading_without_card

PROCESSOR = reading_without_card().device()
CARD = reading_with_card().device()
KILLED = RunSnapshot(
    name="sql-2",
    directory=Path("sql-2"),
    state=RunState.LOST,
    failure=error("engine.ended", "The training process ended without a word."),
    checkpoints=((20, "checkpoints/step-20"),),
)
WIDE = Recipe().with_values({"train.micro_batch": 8, "train.offload": False})
LEAST = WIDE.with_values({"train.micro_batch": 1, "train.checkpointing": True})
HALF = "takes 4 rows at a time instead of 8, twice as often; it learns the same"


def test_that_a_killed_run_is_told_what_less_memory_changes():
    assert less_memory_words(KILLED, WIDE, PROCESSOR) == HALF


def test_that_a_run_opened_again_is_told_the_same():
    reopened = replace(KILLED, failure=error("run.lost", "It ended without a word."))
    assert less_memory_words(reopened, WIDE, PROCESSOR) == HALF


@pytest.mark.parametrize("state", [each for each in RunState if each != RunState.LOST])
def test_that_a_run_whose_engine_said_how_it_ended_is_offered_nothing(state):
    assert less_memory_words(replace(KILLED, state=state), WIDE, PROCESSOR) == ""


def test_that_a_run_that_was_cancelled_is_offered_nothing():
    cancelled = replace(KILLED, failure=warning(CANCELLED, "Cancelled."))
    assert less_memory_words(cancelled, WIDE, PROCESSOR) == ""


def test_that_a_run_with_nothing_to_go_on_from_is_offered_nothing():
    assert less_memory_words(replace(KILLED, checkpoints=()), WIDE, PROCESSOR) == ""


def test_that_nothing_is_offered_where_nothing_can_be_lowered():
    assert less_memory_words(KILLED, LEAST, PROCESSOR) == ""


def on_card(run: RunSnapshot) -> RunSnapshot:
    return replace(run, memory=(MemoryPoint(1, 1 << 30, 1 << 30, 1 << 30, 2 << 30),))


def test_that_a_run_on_a_card_is_not_told_to_spare_what_was_not_short():
    assert less_memory_words(KILLED, WIDE, CARD) == ""
    assert less_memory_words(on_card(KILLED), WIDE, CARD) == ""
    assert less_memory_words(on_card(KILLED), WIDE, PROCESSOR) == ""
    assert less_memory_words(on_card(KILLED), LEAST, CARD) == ""


def test_that_a_run_that_keeps_its_layers_in_main_memory_can_do_with_less_of_it():
    values = {"train.checkpointing": True, "train.offload": True}
    offloading = WIDE.with_values(values)
    assert less_memory_words(on_card(KILLED), offloading, CARD) == HALF
