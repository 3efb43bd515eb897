"""The Runs page's rows and questions, made from snapshots."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from studio.domain.recipe import Recipe
from studio.domain.run import RunSnapshot, RunState
from studio.domain.time_words import duration
from studio.ui.pages.start.view_model import outcome_mark, when_words
from studio.ui.shell_model import short_model_name
from studio.ui.text import count, size
from studio.ui.widgets.marks import Mark

NO_RUNS: Final = (
    "No runs yet",
    "Every run is kept here with its recipe, its losses and the memory it used.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A run as the list needs it.

    Attributes:
        snapshot: What its journal tells.
        recipe: It was started with; None when it can't be read.
    """

    snapshot: RunSnapshot
    recipe: Recipe | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One row of the list; texts are empty where nothing was measured.

    Attributes:
        key: The run directory, which names the row.
        name: The run's.
        model: What it trained.
        mark: Its outcome in words.
        held_out: Before and after, in nats a token.
        steps: Done, of how many.
        time: From its first to its last event.
        when: It began.
        is_over: Whether it may be deleted.
    """

    key: str
    name: str
    model: str
    mark: Mark
    held_out: str
    steps: str
    time: str
    when: str
    is_over: bool


def run_rows(runs: Sequence[RunFacts], now: datetime) -> tuple[RunRow, ...]:
    """A row for each run, in the order given.

    Args:
        runs: Newest first.
        now: The present moment, in local time.
    """
    return tuple(_row(facts, now) for facts in runs)


READING_RUNS: Final = "Reading the runs"


def facts_line(runs: Sequence[RunFacts]) -> str:
    """How many runs there are, and how many finished."""
    if not runs:
        return ""
    finished = sum(run.snapshot.state is RunState.FINISHED for run in runs)
    return f"{count(len(runs), 'run')}, {finished:,} finished"


def delete_question(snapshot: RunSnapshot, size_bytes: int) -> str:
    """The question before a run is deleted."""
    saved = len(snapshot.checkpoints)
    checkpoints = f" and its {count(saved, 'checkpoint')}" if saved else ""
    return (
        f"Delete run {snapshot.name}{checkpoints} ({size(size_bytes)})? "
        "Copies that were saved elsewhere stay."
    )


def model_words(recipe: Recipe | None) -> str:
    """The model's name without its owner or folder; empty when unknown."""
    return "" if recipe is None else short_model_name(recipe.model.name)


def _row(facts: RunFacts, now: datetime) -> RunRow:
    snapshot = facts.snapshot
    return RunRow(
        key=str(snapshot.directory),
        name=snapshot.name,
        model=model_words(facts.recipe),
        mark=outcome_mark(snapshot),
        held_out=_held_out(snapshot),
        steps=_steps(snapshot),
        time=duration(snapshot.seconds) if snapshot.seconds else "",
        when=when_words(snapshot.started_at, now),
        is_over=snapshot.state.is_over,
    )


def _held_out(snapshot: RunSnapshot) -> str:
    pair = snapshot.held_out_before_and_after()
    if pair is not None:
        return f"{pair[0]:.3f} → {pair[1]:.3f}"
    if snapshot.held_out:
        return f"{snapshot.held_out[0].loss:.3f} → –"
    return "–"


def _steps(snapshot: RunSnapshot) -> str:
    if not snapshot.steps:
        return "–"
    if snapshot.step == snapshot.total_steps:
        return f"{snapshot.step:,}"
    return f"{snapshot.step:,} of {snapshot.total_steps:,}"
