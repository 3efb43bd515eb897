"""The words of the runs that wait: their rows, and what the queue does just now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from studio.domain.run_queue import QueuedRun
from studio.ui.icon_names import IconName
from studio.ui.pages.start.view_model import when_words
from studio.ui.pages.window_words import in_window
from studio.ui.text import count
from studio.ui.tokens import Tone
from studio.ui.widgets.marks import Mark

NONE_WAIT: Final = (
    "No run waits. “Add to queue” on the Recipe page lets a recipe, or a sweep of it, "
    "wait for its turn or for a time."
)
TRY_AGAIN: Final = "Move it, or give it a time, to have it tried again."
START: Final = "Start the queue"
HOLD: Final = "Hold the queue"
ELSEWHERE: Final = "Another window or terminal starts these runs."
NEXT: Final = Mark(IconName.PLAY, "Next", Tone.ACCENT)
STARTING: Final = Mark(IconName.PLAY, "Starting", Tone.ACCENT)
IN_TURN: Final = Mark(IconName.MORE, "In its turn", Tone.MUTED)
TROUBLED: Final = Mark(IconName.WARNING, "Not started", Tone.WARNING)


@dataclass(frozen=True, slots=True)
class WaitingFacts:
    """The queue as it lies on disk.

    Attributes:
        runs: In the order in which they start.
        projects: The names of the projects, by slug.
        models: What each run trains, by its number.
        is_driven_elsewhere: Whether another program starts them.
    """

    runs: tuple[QueuedRun, ...] = ()
    projects: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[int, str] = field(default_factory=dict)
    is_driven_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Course:
    """What the window does with the queue.

    Attributes:
        is_driving: Whether it starts the runs when their turn comes.
        waits_for: The run that must end before, or the time that must come.
        begun: The number of the run that is being started; None without one.
    """

    is_driving: bool = False
    waits_for: str | datetime | None = None
    begun: int | None = None


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A row of the list; `key` is the run's number."""

    key: str
    title: str
    project: str
    model: str
    starts: Mark
    trouble: str


def waiting_rows(
    facts: WaitingFacts, now: datetime, begun: int | None = None
) -> tuple[WaitingRow, ...]:
    """A row for each run that waits, the next one first.

    Args:
        facts: The queue.
        now: The present moment, in local time.
        begun: The number of the run that is being started.
    """
    waiting = (run.number for run in facts.runs if run.is_due(now))
    due = next((number for number in waiting if number != begun), None)
    return tuple(
        WaitingRow(
            key=str(run.number),
            title=run.title,
            project=facts.projects.get(run.project, run.project),
            model=facts.models.get(run.number, ""),
            starts=STARTING
            if run.number == begun
            else _starts(run, now, is_next=run.number == due),
            trouble=trouble_words(run),
        )
        for run in facts.runs
    )


def course_words(facts: WaitingFacts, course: Course, now: datetime) -> str:
    """What becomes of the runs that wait, in a sentence or two."""
    if not facts.runs:
        return ""
    if course.is_driving:
        return _driving_words(course.waits_for, now)
    if facts.is_driven_elsewhere:
        return ELSEWHERE
    return f"{count(len(facts.runs), 'run')}; none starts by itself."


def start_words(moment: datetime, now: datetime) -> str:
    """A time to come: ``Today 21:30``, ``Tomorrow 06:00``, ``14 Nov 06:00``."""
    local = moment.astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"Today {local:%H:%M}"
    if local.date() == now.date() + timedelta(days=1):
        return f"Tomorrow {local:%H:%M}"
    return f"{when_words(local.timestamp(), now)} {local:%H:%M}"


def remove_question(titles: Sequence[str]) -> tuple[str, str]:
    """The question before runs are let go, and what is lost."""
    is_one = len(titles) == 1
    lost = "Its recipe goes with it." if is_one else "Their recipes go with them."
    return f"Take {named(titles)} off the queue?", lost


def named(titles: Sequence[str]) -> str:
    """What one or several runs are called."""
    return titles[0] if len(titles) == 1 else count(len(titles), "run")


def trouble_words(run: QueuedRun) -> str:
    """Why a run was not started; empty for one that may be."""
    return "" if run.trouble is None else in_window(run.trouble).sentence()


def _driving_words(waits_for: str | datetime | None, now: datetime) -> str:
    match waits_for:
        case str():
            return f"The next starts when {waits_for} has ended."
        case datetime():
            return f"Waits until {_mid_sentence(start_words(waits_for, now))}."
        case _:
            return "Looks whether the next can start."


def _mid_sentence(words: str) -> str:
    return words[0].lower() + words[1:]


def _starts(run: QueuedRun, now: datetime, *, is_next: bool) -> Mark:
    if run.trouble:
        return TROUBLED
    if run.start_at is not None and run.start_at > now:
        return Mark(IconName.CLOCK, start_words(run.start_at, now), Tone.MUTED)
    return NEXT if is_next else IN_TURN
