"""What going on with a paused run would take of what is free now, in words and figures.

Free of Qt: made from what is known, shown by `going_on_panel`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from studio.domain.finding import Finding
from studio.domain.free_wait import FreeWait
from studio.domain.hardware import GpuProcess, MachineReading, TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.programs import Advice
from studio.domain.recipe import Recipe
from studio.domain.relief import changes_between
from studio.domain.run import RunSnapshot
from studio.domain.time_words import duration
from studio.services.known_programs import program_of
from studio.services.run_need import RunNeed
from studio.services.run_wait import USUAL_MINUTES, obstacle_to
from studio.ui.pages.bar_states import measured_bar, predicted_bar, short_by_bytes
from studio.ui.pages.run.adaptations import change_words
from studio.ui.pages.window_words import in_window
from studio.ui.text import gib
from studio.ui.widgets.marks import NOT_PRICED, Mark, mark_for
from studio.ui.widgets.memory_bar_state import MemoryBarState, Verdict

WHILE_OPEN = "Only while this window is open."


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingOnInputs:
    """What is known of a paused run.

    Attributes:
        snapshot: The run.
        need: What it takes to go on with it.
        smaller: What it comes to by itself if memory runs out, with the prices.
        in_force: The recipe that it trained by last; None when it can't be read.
        reading: The machine as it is now.
        wait: How far it waits by itself; None while it doesn't.
    """

    snapshot: RunSnapshot
    need: RunNeed
    smaller: Sequence[tuple[Recipe, MemoryEstimate]]
    in_force: Recipe | None
    reading: MachineReading
    wait: FreeWait | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoingOn:
    """The part of the paused card that tells of memory.

    Attributes:
        caption: Whose memory the bar shows.
        bar: The run's parts on top of what others hold.
        mark: Whether it fits what is free now.
        words: What is needed and what is free; figures between ``**`` stand out.
        remedy: What would fit; empty where it fits.
        offer: The check box's words.
        is_waiting: Whether it is ticked.
        obstacle: Why it can't be ticked; empty where it can.
        state: How far the wait is, and for how long it lives.
    """

    caption: str
    bar: MemoryBarState
    mark: Mark
    words: str
    remedy: str
    offer: str
    is_waiting: bool
    obstacle: str
    state: str


def going_on(inputs: GoingOnInputs) -> GoingOn:
    """Put what going on takes into words."""
    need, device = inputs.need, inputs.reading.device()
    obstacle = obstacle_to(inputs.snapshot, need, device)
    return GoingOn(
        caption="On the card now" if device.kind == "cuda" else "In main memory now",
        bar=_bar(need, device),
        mark=_mark(need, device),
        words=" ".join(filter(None, (_figures(need, device), _changes(inputs)))),
        remedy=_remedy(inputs, device),
        offer=_offer(need),
        is_waiting=inputs.wait is not None,
        obstacle=_obstacle_words(obstacle),
        state=f"{_state(inputs.wait)} {WHILE_OPEN}".strip(),
    )


def _bar(need: RunNeed, device: TrainingDevice) -> MemoryBarState:
    if need.expected is None:
        return measured_bar(device)
    return predicted_bar(need.expected, device)


def _mark(need: RunNeed, device: TrainingDevice) -> Mark:
    if need.expected is None:
        return NOT_PRICED
    verdict = predicted_bar(need.expected, device).verdict or Verdict.NOT_PRICED
    return mark_for(verdict, short_by_bytes(need.expected, device))


def _figures(need: RunNeed, device: TrainingDevice) -> str:
    free = f"**{gib(device.free_bytes)} GiB** free"
    if need.bytes is None:
        return f"{free}; what the run needs is not known."
    words = f"**{gib(need.bytes)} GiB** needed, {free}."
    if need.beyond_bytes:
        beyond = f"{gib(need.beyond_bytes)} GiB"
        words = f"{words} {beyond} of it were measured beyond the prediction."
    return words


def _changes(inputs: GoingOnInputs) -> str:
    """How it goes on in less memory than it ran out of; empty where it doesn't."""
    before, after = inputs.in_force, inputs.need.recipe
    if before is None or before == after:
        return ""
    return f"It goes on in less memory: {_change_words(before, after)}."


def _change_words(before: Recipe, after: Recipe) -> str:
    changes = changes_between(before, after)
    return change_words(
        (key, was, now)
        for key, (was, now) in changes.items()
        if isinstance(was, int) and isinstance(now, int)
    )


def _remedy(inputs: GoingOnInputs, device: TrainingDevice) -> str:
    """What would fit what is free: a program less, or what the run comes to itself."""
    expected = inputs.need.expected
    missing = 0 if expected is None else short_by_bytes(expected, device)
    if not missing:
        return ""
    closing = _closing(inputs.reading, missing)
    ways = [
        f"Enough would be {closing}." if closing else "",
        _smaller(inputs, device),
    ]
    return " ".join(filter(None, ways)) or (
        "Nothing that the run can do by itself fits what is free now."
    )


def _closing(reading: MachineReading, missing: int) -> str:
    """The smallest known program whose share is enough; empty without one."""
    card = reading.card_in_use()
    held = [p for p in (card.processes if card else ()) if _may_close(p)]
    enough = [p for p in held if p.used_bytes and p.used_bytes >= missing]
    least = min(enough, key=lambda p: p.used_bytes or 0, default=None)
    if least is None or least.used_bytes is None:
        return ""
    verb = "stopping" if program_of(least).advice is Advice.STOP else "closing"
    return f"{verb} {least.name} ({gib(least.used_bytes)} GiB)"


def _may_close(process: GpuProcess) -> bool:
    return program_of(process).advice in {Advice.CLOSE, Advice.STOP}


def _smaller(inputs: GoingOnInputs, device: TrainingDevice) -> str:
    if device.kind != "cuda":
        return ""  # main memory that is short is swapped out instead of refused
    for recipe, estimate in inputs.smaller:
        if not short_by_bytes(estimate, device):
            changed = _change_words(inputs.need.recipe, recipe)
            return (
                f"{gib(estimate.peak_bytes)} GiB would do with {changed}; the run "
                "comes to that by itself where memory runs out."
            )
    return ""


def _offer(need: RunNeed) -> str:
    amount = "its memory has" if need.bytes is None else f"{gib(need.bytes)} GiB have"
    return f"Go on by itself when {amount} been free for {USUAL_MINUTES:g} minutes"


def _state(wait: FreeWait | None) -> str:
    """How far the wait is; the check box tells already what is waited for."""
    if wait is None or wait.looked_at is None:
        return ""
    if wait.busy_with or wait.device is None:
        return wait.state_words
    if wait.seconds_left is not None:
        return f"Free: goes on in {duration(wait.seconds_left)}."
    return f"Waits: {gib(wait.device.free_bytes)} GiB are free."


def _obstacle_words(obstacle: Finding | None) -> str:
    if obstacle is None:
        return ""
    return f"{obstacle.what} {in_window(obstacle).how_to_fix}".strip()
