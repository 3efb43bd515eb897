"""The Run page's words and figures, made from one snapshot.

The snapshot may come from a live engine or from disk; nothing here can tell them apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from studio.domain.hardware import GIB
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.recipe import Recipe
from studio.domain.run import Phase, RunSnapshot, RunState, StageProgress
from studio.domain.time_words import duration, duration_range
from studio.services.run_need import counts_allocator
from studio.ui.icon_names import IconName
from studio.ui.pages.run.endings import Ending, ending_of
from studio.ui.pages.run.happenings import Happening, happenings
from studio.ui.pages.run.pace import seconds_left, steps_needed
from studio.ui.pages.run.samples import PromptAnswers, prompts_of
from studio.ui.pages.run.series import (
    Curves,
    Drawn,
    curves,
    passes_of,
    predicted_peak,
    smoothed_loss,
)
from studio.ui.text import gib, percent
from studio.ui.tokens import Tone
from studio.ui.widgets.marks import Mark

_RECENT: Final = 20
READING_RUN: Final = "Reading the run"
PREFERRED: Final = "Better preferred"
"""The share of held-out pairs whose better answer is preferred; of pairs alone."""


class Rung(StrEnum):
    """How far up the ladder of stopping the user went."""

    NONE = "none"
    PAUSE = "pause"
    STOP = "stop"
    TERMINATE = "terminate"
    KILL = "kill"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInputs:
    """What is known when the page is drawn.

    Attributes:
        snapshot: The run.
        recipe: That is in force; None when it can't be read.
        estimate: What is predicted for it.
        now: Seconds since the epoch.
        is_ours: Whether this window leads the run and takes its orders.
        rung: What it was told from here.
        drawn: Which points the charts hold already.
        less: What going on in less memory would change; empty where it can't help.
    """

    snapshot: RunSnapshot
    recipe: Recipe | None = None
    estimate: MemoryEstimate | None = None
    now: float = 0.0
    is_ours: bool = False
    rung: Rung = Rung.NONE
    drawn: Drawn = field(default_factory=Drawn)
    less: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How far a run is, in the words of the progress header.

    Attributes:
        share: How much is done, 0 to 1; None while that is unknown.
        answer: The time left, or the phase in words.
        detail: Step and pass, or how far the phase is.
        gone: Time gone and end time.
        saved: What was saved last.
    """

    share: float | None
    answer: str
    detail: str = ""
    gone: str = ""
    saved: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure; an empty value was not measured yet."""

    caption: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """All that the page shows.

    Attributes:
        facts: The line below the title.
        course: How far it is; None once it is over.
        ending: How it ended; None before.
        tiles: Figures beside the course.
        curves: What is new to the charts.
        memory_note: What the memory chart counts.
        memory_mark: The measured peak against the prediction; None before the first.
        prompts: The sample prompts with their answers.
        happenings: What happened, newest first.
        can_save: Whether a checkpoint can be ordered.
        can_pause: Whether it can be paused.
        can_stop: Whether it can be stopped.
        can_end_now: Whether its process can be asked to end, while it stops.
        can_kill: Whether its process can be ended by force, while it stops.
    """

    facts: str
    course: Course | None
    ending: Ending | None
    tiles: tuple[Tile, ...]
    curves: Curves
    memory_note: str
    memory_mark: Mark | None
    prompts: tuple[PromptAnswers, ...] = field(default=())
    happenings: tuple[Happening, ...] = field(default=())
    can_save: bool = False
    can_pause: bool = False
    can_stop: bool = False
    can_end_now: bool = False
    can_kill: bool = False


def run_view(inputs: RunInputs) -> RunView:
    """Put a snapshot into words."""
    snapshot = inputs.snapshot
    over = snapshot.state.is_over
    rung = _rung(inputs)
    free = inputs.is_ours and rung is Rung.NONE and not over
    return RunView(
        facts=facts(snapshot, inputs.recipe),
        course=None if over else _course(inputs),
        ending=ending_of(snapshot, inputs.less) if over else None,
        tiles=tuple(_tiles(snapshot)),
        curves=curves(snapshot, inputs.recipe, inputs.estimate, inputs.drawn),
        memory_note=_memory_note(snapshot),
        memory_mark=_memory_mark(snapshot, inputs.estimate),
        prompts=prompts_of(snapshot),
        happenings=happenings(snapshot),
        can_save=free and _is_training(snapshot),
        can_pause=free,
        can_stop=free,
        can_end_now=rung in {Rung.PAUSE, Rung.STOP},
        can_kill=rung in {Rung.PAUSE, Rung.STOP, Rung.TERMINATE},
    )


def facts(snapshot: RunSnapshot, recipe: Recipe | None) -> str:
    """The run's name, its model, and what shapes its memory."""
    parts = [snapshot.name]
    if recipe is not None:
        train = recipe.train
        shape = f"{train.sequence_length:,} × {train.micro_batch:,}"
        name = recipe.model.name.replace("\\", "/").rstrip("/").rpartition("/")[2]
        parts.append(f"{name}, rank {recipe.lora.rank:,}, {shape}")
    if snapshot.device:
        parts.append(snapshot.device)
    return " · ".join(parts)


def _course(inputs: RunInputs) -> Course:
    snapshot = inputs.snapshot
    began = snapshot.started_at
    gone = max(0.0, inputs.now - began) if began is not None else 0.0
    stopping = _stopping_words(inputs)
    answer, detail = stopping or _answer(snapshot), _detail(inputs)
    goes_on = _is_training(snapshot) and not stopping
    range_left = seconds_left(snapshot) if goes_on else None
    return Course(
        share=snapshot.fraction if snapshot.steps else None,
        answer=answer,
        detail=detail,
        gone=_gone(gone, inputs.now, range_left) if began is not None else "",
        saved=_last_saved(snapshot) if snapshot.steps else "",
    )


def _is_training(snapshot: RunSnapshot) -> bool:
    """Whether steps are still to come; measuring between steps counts as training."""
    return bool(snapshot.steps) and snapshot.step < snapshot.total_steps


def _stopping_words(inputs: RunInputs) -> str:
    """What is being waited for while the run stops; empty while it doesn't."""
    match _rung(inputs):
        case Rung.PAUSE:
            saves = inputs.snapshot.phase is Phase.SAVING
            return "Saving, then pausing" if saves else "Pausing after this step"
        case Rung.STOP:
            saves = inputs.snapshot.phase is Phase.SAVING
            return "Saving, then stopping" if saves else "Stopping after this step"
        case Rung.TERMINATE:
            return "Ending the process"
        case Rung.KILL:
            return "Ending the process by force"
        case Rung.NONE:
            is_theirs = inputs.snapshot.state is RunState.STOPPING
            return "Stopping after this step" if is_theirs else ""


def _answer(snapshot: RunSnapshot) -> str:
    if not _is_training(snapshot):
        first = snapshot.phase is Phase.TRAINING
        return "First step" if first else snapshot.phase.words
    range_left = seconds_left(snapshot)
    if range_left is None:
        needed = steps_needed(snapshot)
        return f"Measuring speed, {len(snapshot.steps)} of {needed} steps"
    return f"{duration_range(*range_left)} left"


def _detail(inputs: RunInputs) -> str:
    snapshot = inputs.snapshot
    if not _is_training(snapshot):
        return "" if snapshot.progress is None else progress_words(snapshot.progress)
    words = f"step {snapshot.step:,} of {snapshot.total_steps:,}"
    passes = _pass_words(snapshot, inputs.recipe)
    if snapshot.phase is not Phase.TRAINING:
        return f"{words}, {snapshot.phase.words.lower()}"
    return f"{words}, {passes}" if passes else words


def _pass_words(snapshot: RunSnapshot, recipe: Recipe | None) -> str:
    """Which pass this is; only where passes, not steps, decide the run's length."""
    passes = passes_of(recipe)
    if passes < 1:
        return ""
    now = min(passes, int((snapshot.step - 1) * passes / snapshot.total_steps) + 1)
    return f"pass {now:g} of {passes:g}"


def progress_words(progress: StageProgress) -> str:
    """How far a countable stage is, such as ``2.10 of 5.20 GiB``."""
    done, total, unit = progress.done, progress.total, progress.unit
    if unit in {"B", "bytes"}:
        done, total, unit = done / GIB, total / GIB, "GiB"
        figures = f"{done:.2f} of {total:.2f}" if total else f"{done:.2f}"
    else:
        figures = f"{done:,.0f} of {total:,.0f}" if total else f"{done:,.0f}"
    return f"{progress.stage}: {figures} {unit}".strip()


def _gone(gone: float, now: float, range_left: tuple[float, float] | None) -> str:
    words = f"{duration(gone)} gone"
    if range_left is None:
        return words
    first, last = (_clock(now + seconds) for seconds in range_left)
    ends = f"about {first}" if first == last else f"between {first} and {last}"
    return f"{words}, ends {ends}"


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().strftime("%H:%M")


def _last_saved(snapshot: RunSnapshot) -> str:
    if not snapshot.checkpoints:
        return "nothing saved yet"
    return f"last saved at step {snapshot.checkpoints[-1][0]:,}"


def _rung(inputs: RunInputs) -> Rung:
    """How far the run's end has been ordered; nothing once it is over."""
    if not inputs.is_ours or inputs.snapshot.state.is_over:
        return Rung.NONE
    if inputs.rung is Rung.NONE and inputs.snapshot.state is RunState.STOPPING:
        return Rung.STOP
    return inputs.rung


def _tiles(snapshot: RunSnapshot) -> Iterator[Tile]:
    yield Tile("Training loss", _figure(smoothed_loss(snapshot)))
    yield Tile("Held-out loss", _figure(snapshot.held_out_loss))
    share = percent(snapshot.judged[-1].accuracy) if snapshot.judged else ""
    yield Tile(PREFERRED, share)
    speeds = [p.tokens_per_s for p in snapshot.steps[-_RECENT:] if p.tokens_per_s]
    speed = f"{sum(speeds) / len(speeds):,.0f}" if speeds else ""
    yield Tile("Tokens / s", speed)
    peak = snapshot.peak_bytes
    yield Tile("Highest memory", f"{gib(peak)} GiB" if peak is not None else "")


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _memory_note(snapshot: RunSnapshot) -> str:
    if counts_allocator(snapshot):
        return "GiB of the card, held by this run"
    return "GiB of main memory, held by this run"


def _memory_mark(snapshot: RunSnapshot, estimate: MemoryEstimate | None) -> Mark | None:
    predicted, peak = predicted_peak(snapshot, estimate), snapshot.peak_in_force_bytes
    if peak is None or predicted is None or not snapshot.steps or not predicted.peak:
        return None
    change = peak / predicted.peak - 1
    words = f"{percent(abs(change), 1)} {'over' if change > 0 else 'under'}"
    if peak > predicted.high:
        return Mark(IconName.WARNING, f"{words} the prediction", Tone.WARNING)
    if peak < predicted.low:
        return Mark(IconName.INFO, f"{words} the prediction", Tone.INFO)
    return Mark(IconName.CHECK_CIRCLE, f"{words} the prediction", Tone.SUCCESS)
