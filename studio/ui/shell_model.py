"""What the frame says on every page: captions, status bar, the title's percent.

The side nav's captions are the project's summary: the present answer of each page, and
nothing where there is none yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from studio.domain.dataset import ChatFile
from studio.domain.hardware import MachineReading
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.recipe import Recipe
from studio.domain.run import RunSnapshot, RunState
from studio.ui.icon_names import IconName
from studio.ui.pages.bar_states import measured_bar
from studio.ui.pages.live_memory import held_by_run
from studio.ui.pages.run.series import predicted_peak
from studio.ui.text import count, gib, whole_percent
from studio.ui.widgets.memory_bar_state import MemoryBarState
from studio.ui.widgets.status_bar import CardReading

_STATE_ICONS: Final = {
    RunState.STARTING: IconName.PLAY,
    RunState.RUNNING: IconName.PLAY,
    RunState.STOPPING: IconName.STOP,
    RunState.PAUSED: IconName.PAUSE,
    RunState.FINISHED: IconName.CHECK,
    RunState.STOPPED: IconName.STOP,
    RunState.FAILED: IconName.CROSS_CIRCLE,
    RunState.LOST: IconName.WARNING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellFacts:
    """All that the frame's words depend on.

    Attributes:
        reading: The machine; None before the first reading.
        recipe: Of the current project; None without one.
        data: The project's chats; None when none are read.
        data_refused: Whether its file can't be used.
        estimate: The recipe's predicted peak; None when it can't be priced.
        planned: The same on the card that is planned for; None without such a plan.
        is_planned: Whether the recipe is planned for a card that isn't here.
        run: The window's run; None before the first.
        runs: How many runs the project has.
        waiting: How many runs wait in the queue, of any project.
    """

    reading: MachineReading | None = None
    recipe: Recipe | None = None
    data: ChatFile | None = None
    data_refused: bool = False
    estimate: MemoryEstimate | None = None
    planned: MemoryEstimate | None = None
    is_planned: bool = False
    run: RunSnapshot | None = None
    runs: int = 0
    waiting: int = 0


def captions(facts: ShellFacts) -> Mapping[str, str]:
    """The present answer of each page, by its key; empty where there is none."""
    return {
        "hardware": _free(facts.reading),
        "model": _model(facts.recipe),
        "data": _rows(facts.data),
        "recipe": _peak(facts),
        "run": _run(facts.run),
        "runs": _runs(facts.runs, facts.waiting),
        "help": "F1",
    }


def _rows(data: ChatFile | None) -> str:
    """How many rows there are; at least so many while only the first are read."""
    if data is None:
        return ""
    rows = len(data.chats)
    return count(rows, "row") if data.is_whole else f"{rows:,}+ rows"


def card_reading(
    reading: MachineReading | None,
    estimate: MemoryEstimate | None,
    run: RunSnapshot | None = None,
) -> CardReading:
    """The status bar's card; without one, the processor and main memory.

    The run under way is a part of its own; the tick at the predicted peak stands on
    what the others hold.
    """
    if reading is None:
        return CardReading(name="Looking for a card")
    device = reading.device()
    card = reading.card_in_use()
    return CardReading(
        name=device.name,
        memory=_bar_with_peak(
            measured_bar(device, held_by_run(run, reading)), estimate, run
        ),
        temperature_c=None if card is None else card.temperature_c,
        driver="" if card is None else reading.driver_version,
    )


def estimate_here(facts: ShellFacts) -> MemoryEstimate | None:
    """What this machine's memory is marked with; None for a plan for another card.

    A run under way is one of this machine, whatever is planned meanwhile.
    """
    is_under_way = facts.run is not None and not facts.run.state.is_over
    return facts.estimate if is_under_way or not facts.is_planned else None


def state_words(run: RunSnapshot | None) -> tuple[str, IconName]:
    """The state of the run for the status bar, and its icon."""
    if run is None:
        return "Ready", IconName.CHECK
    words = {
        RunState.STARTING: "starting",
        RunState.RUNNING: _course(run),
        RunState.STOPPING: "stopping after this step",
        RunState.PAUSED: f"paused at step {run.step:,}",
        RunState.FINISHED: "finished",
        RunState.STOPPED: f"stopped at step {run.step:,}",
        RunState.FAILED: "failed",
        RunState.LOST: "broke off",
    }
    return f"{run.name}: {words[run.state]}", _STATE_ICONS[run.state]


def percent_of(run: RunSnapshot | None) -> int | None:
    """The title's percent; None when no run is under way or its length is unknown."""
    if run is None or run.state.is_over or not run.total_steps:
        return None
    return whole_percent(run.fraction)


def short_model_name(name: str) -> str:
    """A model's name without its owner, its folder and the customary ending."""
    return Path(name).name.removesuffix("-Instruct")


def _free(reading: MachineReading | None) -> str:
    return "" if reading is None else f"{gib(reading.device().free_bytes)} free"


def _model(recipe: Recipe | None) -> str:
    return "" if recipe is None else short_model_name(recipe.model.name)


def _peak(facts: ShellFacts) -> str:
    """As the Recipe page says it, for the card that it is said of."""
    told = facts.planned if facts.is_planned else facts.estimate
    if told is None:
        return ""
    return f"{gib(told.peak_bytes)} {'planned' if facts.is_planned else 'GiB'}"


def _run(run: RunSnapshot | None) -> str:
    if run is None or run.state.is_over:
        return ""
    percent = percent_of(run)
    return "starting" if percent is None else f"{percent} %"


def _runs(runs: int, waiting: int) -> str:
    told = (f"{runs:,}" if runs else "", f"{waiting:,} waiting" if waiting else "")
    return ", ".join(filter(None, told))


def _course(run: RunSnapshot) -> str:
    if run.steps and run.total_steps:
        return f"step {run.step:,} of {run.total_steps:,}"
    return run.phase.words.lower()


def _bar_with_peak(
    bar: MemoryBarState, estimate: MemoryEstimate | None, run: RunSnapshot | None
) -> MemoryBarState:
    if estimate is None:
        return bar
    if run is None or run.state.is_over:
        return replace(bar, peak_bytes=estimate.peak_bytes)
    # What a run doesn't count as its own stands among the others already.
    peak = predicted_peak(run, estimate)
    return replace(bar, peak_bytes=None if peak is None else peak.peak)
