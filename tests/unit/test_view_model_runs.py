"""The Runs page's rows and questions."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from studio.domain.hardware import MIB
from studio.domain.recipe import Recipe
from studio.domain.run import HeldOutPoint, RunSnapshot, RunState, StepPoint
from studio.ui.pages.runs.view_model import (
    RunFacts,
    delete_question,
    facts_line,
    run_rows,
)

NOW = datetime(2026, 11, 20, 15, 42, tzinfo=UTC)
RUN = RunSnapshot(
    name="cheese-1",
    directory=Path("/runs/cheese-1"),
    state=RunState.FINISHED,
    total_steps=2,
    steps=(
        StepPoint(1, 2.0, 1e-4, None, None, 1.0),
        StepPoint(2, 1.5, 1e-4, None, None, 2.0),
    ),
    held_out=(HeldOutPoint(0, 2.5), HeldOutPoint(2, 1.179)),
    started_at=datetime(2026, 11, 20, 11, 20, tzinfo=UTC).timestamp(),
    seconds=2281.0,
)


def facts(snapshot: RunSnapshot = RUN, model: str = "owner/Smol") -> RunFacts:
    return RunFacts(snapshot=snapshot, recipe=Recipe().with_value("model.name", model))


def test_that_a_row_tells_what_was_trained_and_what_came_of_it() -> None:
    row = run_rows([facts()], NOW)[0]
    assert row.name == "cheese-1"
    assert row.model == "Smol"
    assert row.mark.words == "Finished"
    assert row.held_out == "2.500 → 1.179"
    assert row.steps == "2"
    assert row.time == "38 min 1 s"
    assert row.when == "Today 11:20"


def test_that_a_run_that_broke_off_tells_how_far_it_came() -> None:
    lost = replace(RUN, state=RunState.LOST, total_steps=100, held_out=RUN.held_out[:1])
    row = run_rows([facts(lost)], NOW)[0]
    assert row.mark.words == "Broke off"
    assert row.steps == "2 of 100"
    assert row.held_out == "2.500 → –"


def test_that_nothing_measured_is_no_zero() -> None:
    silent = replace(RUN, held_out=(), steps=(), seconds=0.0)
    row = run_rows([facts(silent)], NOW)[0]
    assert (row.held_out, row.steps, row.time) == ("–", "–", "")


@pytest.mark.parametrize("state", list(RunState))
def test_that_only_a_run_that_is_over_may_be_deleted(state: RunState) -> None:
    row = run_rows([facts(replace(RUN, state=state))], NOW)[0]
    assert row.is_over is state.is_over


def test_that_a_run_without_a_readable_recipe_is_still_listed() -> None:
    row = run_rows([RunFacts(snapshot=RUN)], NOW)[0]
    assert row.model == ""


def test_that_the_facts_count_the_finished() -> None:
    stopped = replace(RUN, state=RunState.STOPPED)
    assert facts_line([facts(), facts(stopped)]) == "2 runs, 1 finished"
    assert facts_line([]) == ""


def test_that_deleting_names_what_goes_and_what_stays() -> None:
    saved = tuple((step, f"checkpoints/step-{step}") for step in (1, 2, 3))
    question = delete_question(replace(RUN, checkpoints=saved), 726 * MIB)
    assert question == (
        "Delete run cheese-1 and its 3 checkpoints (726 MiB)? "
        "Copies that were saved elsewhere stay."
    )
    assert delete_question(RUN, MIB).startswith("Delete run cheese-1 (1 MiB)?")
