"""Runs that wait for their turn: an order, and times before which some don't start."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Self

from studio.domain.errors import StudioError, refusal
from studio.domain.finding import Finding
from studio.domain.recipe import Recipe

MOST_SWEPT_OPTIONS = 3
MOST_SWEPT_RUNS = 64


@dataclass(frozen=True, slots=True)
class QueuedRun:
    """A run that has not been started.

    Attributes:
        number: Names it, and is never given again.
        project: The name of the project that will keep it.
        title: What it is, for people.
        start_at: Not before then, with its time zone; None for as soon as it can.
        trouble: Why it could not be started; it then waits to be moved, given a time,
            or removed.
        token: Marks the directory that is made for it, so that a run whose start was
            cut off is known again; empty for entries of an older Snugtune.
    """

    number: int
    project: str
    title: str
    start_at: datetime | None = None
    trouble: Finding | None = None
    token: str = ""

    def is_due(self, now: datetime) -> bool:
        """Whether nothing of its own keeps it from starting."""
        return not self.trouble and (self.start_at is None or self.start_at <= now)


@dataclass(frozen=True, slots=True)
class Queue:
    """Runs in the order in which they start.

    Attributes:
        runs: The next one first.
        next_number: Of the run that is added next.
    """

    runs: tuple[QueuedRun, ...] = ()
    next_number: int = 1

    def due(self, now: datetime) -> QueuedRun | None:
        """The first run that may start; one that waits for its time holds up none."""
        return next((run for run in self.runs if run.is_due(now)), None)

    def next_time(self) -> datetime | None:
        """The earliest time for which a run waits; None when none does."""
        times = [run.start_at for run in self.runs if run.start_at and not run.trouble]
        return min(times, default=None)

    def run(self, number: int) -> QueuedRun:
        """The run of a number.

        Raises:
            StudioError: None in the queue has it.
        """
        for run in self.runs:
            if run.number == number:
                return run
        raise _unknown(number, self.runs)

    def added(
        self,
        project: str,
        title: str,
        *,
        start_at: datetime | None = None,
        token: str = "",
    ) -> Self:
        """With one more run, at the end."""
        run = QueuedRun(self.next_number, project, title, start_at, token=token)
        return replace(self, runs=(*self.runs, run), next_number=self.next_number + 1)

    def removed(self, number: int) -> Self:
        """Without a run.

        Raises:
            StudioError: None in the queue has this number.
        """
        gone = self.run(number)
        return replace(self, runs=tuple(run for run in self.runs if run != gone))

    def moved(self, number: int, place: int) -> Self:
        """With a run at another place, from 1; it may be tried again then.

        Raises:
            StudioError: None in the queue has this number.
        """
        run = self.run(number)
        others = [other for other in self.runs if other != run]
        others.insert(max(0, place - 1), replace(run, trouble=None))
        return replace(self, runs=tuple(others))

    def timed(self, number: int, start_at: datetime | None) -> Self:
        """With a time for a run, or without one; it may be tried again then.

        Raises:
            StudioError: None in the queue has this number.
        """
        return self._with(replace(self.run(number), start_at=start_at, trouble=None))

    def troubled(self, number: int, trouble: Finding) -> Self:
        """With a finding on why a run could not be started.

        Raises:
            StudioError: None in the queue has this number.
        """
        return self._with(replace(self.run(number), trouble=trouble))

    def _with(self, changed: QueuedRun) -> Self:
        runs = tuple(
            changed if run.number == changed.number else run for run in self.runs
        )
        return replace(self, runs=runs)


def sweep(recipe: Recipe, options: Sequence[str]) -> Iterator[tuple[str, Recipe]]:
    """Every combination of the values that options shall take.

    Args:
        recipe: What else the runs have in common.
        options: ``key=value,value`` each, at most `MOST_SWEPT_OPTIONS`; none gives
            the recipe alone.

    Yields:
        What sets a run apart from the others, and its recipe.

    Raises:
        StudioError: No values, an unknown option, a refused value, or too many runs.
    """
    if len(options) > MOST_SWEPT_OPTIONS:
        raise refusal(
            "queue.sweep",
            f"A sweep takes at most {MOST_SWEPT_OPTIONS} options, "
            f"and {len(options)} are named.",
            fix="Add the rest in a second sweep.",
            where="--sweep",
        )
    choices = [_assignments(option) for option in options]
    combined = list(itertools.product(*choices))
    if len(combined) > MOST_SWEPT_RUNS:
        raise refusal(
            "queue.sweep",
            f"This sweep is {len(combined):,} runs; at most {MOST_SWEPT_RUNS} are "
            "added at a time.",
            fix="Name fewer values.",
            where="--sweep",
        )
    for assignments in combined:
        swept = recipe
        for assignment in assignments:
            swept = swept.with_typed(assignment)
        yield " ".join(assignments), swept


def time_of(typed: str, now: datetime) -> datetime | None:
    """The moment that a person means.

    Args:
        typed: ``21:30`` for the next time that a clock shows it, ``2026-11-27 06:00``,
            or ``now`` for no waiting.
        now: With its time zone, in which `typed` is read.

    Raises:
        StudioError: It is no time.
    """
    words = typed.strip()
    if words.lower() == "now":
        return None
    try:
        if len(words) <= len("00:00"):
            clock = time.fromisoformat(words.zfill(len("00:00")))
            moment = datetime.combine(now.date(), clock, now.tzinfo)
            return moment if moment > now else moment + timedelta(days=1)
        moment = datetime.fromisoformat(words)
    except ValueError:
        raise refusal(
            "queue.time",
            f"“{typed}” is no time.",
            fix="Write 21:30, 2026-11-27 06:00, or now.",
            where="TIME",
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)


def _assignments(option: str) -> list[str]:
    key, _, values = option.partition("=")
    typed = [value.strip() for value in values.split(",") if value.strip()]
    if not typed:
        raise refusal(
            "queue.sweep",
            f"“{option}” names no values.",
            fix="Write key=value,value, such as lora.rank=8,16.",
            where="--sweep",
        )
    return [f"{key.strip()}={value}" for value in dict.fromkeys(typed)]


def _unknown(number: int, runs: Sequence[QueuedRun]) -> StudioError:
    there = ", ".join(str(run.number) for run in runs)
    return refusal(
        "queue.unknown",
        f"No run with the number {number} waits.",
        fix=f"These do: {there}." if there else "The queue is empty.",
        where="NUMBER",
    )
