"""The Start page's words: what this machine is, and what was run on it lately."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from studio.domain.hardware import MachineReading
from studio.domain.recipe import Recipe
from studio.domain.run import RunSnapshot, RunState
from studio.domain.time_words import duration
from studio.ui.icon_names import IconName
from studio.ui.pages.bar_states import measured_bar
from studio.ui.shell_model import short_model_name
from studio.ui.text import gib
from studio.ui.tokens import Tone
from studio.ui.widgets.marks import Mark
from studio.ui.widgets.memory_bar_state import MemoryBarState

LOOKING: Final = "Looking at this computer"
NO_CARD: Final = "No NVIDIA card found"
NO_CARD_WORDS: Final = (
    "You can still check data, price recipes, and train the example on the processor."
)
NO_RUNS: Final = "No runs yet"
NO_RUNS_WORDS: Final = (
    "Every run is kept here with its recipe, its losses and what it used of the card."
)
NOT_MEASURED: Final = "not measured"
RECENT: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAnswer:
    """What this machine is, in the page's first words.

    Attributes:
        facts: The line below the page's title.
        title: The answer.
        words: One or two sentences below it.
        bar: The memory that runs will use, measured; None before the first reading.
    """

    facts: str
    title: str
    words: str
    bar: MemoryBarState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentRun:
    """A row of the table of recent runs."""

    name: str
    directory: str
    model: str
    outcome: Mark
    held_out: str
    peak: str
    time: str
    when: str


def device_answer(reading: MachineReading | None) -> DeviceAnswer:
    """Say what this machine is."""
    if reading is None:
        return DeviceAnswer(facts=LOOKING, title=LOOKING, words="Not measured yet.")
    device = reading.device()
    bar = measured_bar(device)
    free, total = gib(device.free_bytes), gib(device.total_bytes)
    if reading.card_in_use() is None:
        return DeviceAnswer(
            facts=f"{device.name}, no NVIDIA card on this computer",
            title=NO_CARD,
            words=f"{NO_CARD_WORDS} Of {total} GiB main memory, {free} are free.",
            bar=bar,
        )
    return DeviceAnswer(
        facts=f"{device.name} on this computer",
        title=f"{device.name} with {free} GiB free",
        words=f"The card has {total} GiB; other programs and the driver hold the rest.",
        bar=bar,
    )


def recent_run(
    snapshot: RunSnapshot, recipe: Recipe | None, now: datetime
) -> RecentRun:
    """Put a run into a row.

    Args:
        snapshot: What its journal tells.
        recipe: How it was run; None when that can't be read any more.
        now: In the user's time zone.
    """
    losses = [point.loss for point in snapshot.held_out]
    peak = snapshot.peak_bytes
    model = "" if recipe is None else short_model_name(recipe.model.name)
    return RecentRun(
        name=snapshot.name,
        directory=str(snapshot.directory),
        model=model or "unknown",
        outcome=outcome_mark(snapshot),
        held_out=f"{losses[-1]:.3f}" if losses else NOT_MEASURED,
        peak=NOT_MEASURED if peak is None else gib(peak),
        time=duration(snapshot.seconds),
        when=when_words(snapshot.started_at, now),
    )


_OUTCOMES: Final = {
    RunState.PAUSED: Mark(IconName.PAUSE, "Paused", Tone.MUTED),
    RunState.FINISHED: Mark(IconName.CHECK_CIRCLE, "Finished", Tone.SUCCESS),
    RunState.STOPPED: Mark(IconName.INFO, "Stopped by you", Tone.MUTED),
    RunState.FAILED: Mark(IconName.CROSS_CIRCLE, "Failed", Tone.DANGER),
    RunState.LOST: Mark(IconName.WARNING, "Broke off", Tone.WARNING),
    RunState.STOPPING: Mark(IconName.STOP, "Stopping", Tone.MUTED),
}


def outcome_mark(snapshot: RunSnapshot) -> Mark:
    """How a run ended, or that it goes on."""
    return _OUTCOMES.get(snapshot.state, Mark(IconName.PLAY, "Running", Tone.ACCENT))


def when_words(started_at: float | None, now: datetime) -> str:
    """When a run began: ``Today 11:20``, ``Yesterday``, ``14 Nov`` or with its year."""
    if started_at is None:
        return NOT_MEASURED
    began = datetime.fromtimestamp(started_at, now.tzinfo)
    if began.date() == now.date():
        return f"Today {began:%H:%M}"
    if began.date() == now.date() - timedelta(days=1):
        return "Yesterday"
    year = "" if began.year == now.year else f" {began.year}"
    return f"{began.day} {_MONTHS[began.month - 1]}{year}"


def unused_name(wanted: str, taken: Sequence[str]) -> str:
    """A project name that nobody has: the wanted one, or with a number behind."""
    known = {name.casefold() for name in taken}
    name, number = wanted, 1
    while name.casefold() in known:
        number += 1
        name = f"{wanted} {number}"
    return name


# strftime's names follow the environment's language, the rest of the window doesn't.
_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
