"""How a run ended: what is so, what was kept, and what to do next."""

from dataclasses import dataclass, replace
from enum import StrEnum

from studio.domain.adaptive_rank import ranks_words
from studio.domain.best_step import waited_words
from studio.domain.card_fault_words import COMES_AGAIN
from studio.domain.pauses import NON_FINITE
from studio.domain.run import RunSnapshot, RunState
from studio.domain.time_words import duration, duration_range
from studio.services.resuming import CHANGED, can_resume
from studio.services.run_journal import saved_words
from studio.ui.icon_names import IconName
from studio.ui.pages.run.pace import seconds_left
from studio.ui.pages.window_words import in_window
from studio.ui.text import count, percent
from studio.ui.tokens import Tone


class NextDeed(StrEnum):
    """What can be done after a run, each a button."""

    RESUME = "resume"
    RESUME_CHANGED = "resume-changed"
    RESULT = "result"
    RECIPE = "recipe"
    FOLDER = "folder"
    RESUME_LESS = "resume-less"

    @property
    def words(self) -> str:
        """The button's text."""
        return {
            NextDeed.RESUME: "Go on",
            NextDeed.RESUME_CHANGED: "Go on all the same",
            NextDeed.RESULT: "Go on to the result",
            NextDeed.RECIPE: "Go to the recipe",
            NextDeed.FOLDER: "Open folder",
            NextDeed.RESUME_LESS: "Go on in less memory",
        }[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a run ended.

    Attributes:
        icon: Its kind.
        tone: Of the icon.
        headline: What is so, in one short sentence.
        text: What was kept and what to do; figures between ``**`` stand out.
        deeds: The first is the one that helps most.
        less: What going on in less memory changes, as a sentence of its own; empty
            where it isn't offered.
    """

    icon: IconName
    tone: Tone
    headline: str
    text: str
    deeds: tuple[NextDeed, ...]
    less: str = ""


def ending_of(snapshot: RunSnapshot, less: str = "") -> Ending:
    """Tell the end of a run that is over, and what its device did meanwhile.

    Args:
        snapshot: The run.
        less: What going on in less memory would change; empty where it can't help.
    """
    match snapshot.state:
        case RunState.FINISHED:
            ending = _finished(snapshot)
        case RunState.STOPPED:
            ending = _stopped(snapshot)
        case RunState.PAUSED if snapshot.failure is None:
            ending = _paused(snapshot)
        case _:
            ending = _broken(snapshot, less)
    if snapshot.machine is None:
        return ending
    text = f"{ending.text} {snapshot.machine.sentence()}".strip()
    return replace(ending, text=text)


def measured_change(snapshot: RunSnapshot) -> str:
    """Held-out loss before and after, with both numbers; empty when not measured."""
    pair = snapshot.held_out_before_and_after()
    if pair is None:
        return ""
    before, after = pair
    figures = f"Held-out loss **{before:.3f}** before, **{after:.3f}** after"
    if before <= 0 or f"{before:.3f}" == f"{after:.3f}":
        return f"{figures}."
    word = "lower" if after < before else "higher"
    return f"{figures}: {percent(abs(after / before - 1))} {word}.{preferred(snapshot)}"


def preferred(snapshot: RunSnapshot) -> str:
    """How often the better answer is preferred now, as one more sentence; or nothing.

    Of the weights that were saved, else the newest.
    """
    if not snapshot.judged:
        return ""
    saved = (p.accuracy for p in snapshot.judged if p.step == snapshot.saved_step != 0)
    share = percent(next(saved, snapshot.judged[-1].accuracy))
    return f" The better answer is preferred in **{share}** of the pairs held back."


def _finished(snapshot: RunSnapshot) -> Ending:
    steps = count(snapshot.step, "step")
    measured = measured_change(snapshot) or "No rows were held back to measure with."
    return Ending(
        icon=IconName.CHECK_CIRCLE,
        tone=Tone.SUCCESS,
        headline=waited_words(snapshot.step, snapshot.waited)
        if snapshot.waited
        else f"Finished {steps} in {duration(snapshot.seconds)}",
        text=f"{measured} {_left(snapshot)}",
        deeds=(NextDeed.RESULT,),
    )


def _left(snapshot: RunSnapshot) -> str:
    """What was saved, and its ranks where layers differ in them."""
    return f"{saved_words(snapshot)} {ranks_words(snapshot.ranks)}".strip()


def _stopped(snapshot: RunSnapshot) -> Ending:
    kept = saved_words(snapshot)
    where = (
        f"after step {snapshot.step:,}" if snapshot.steps else "before the first step"
    )
    deeds = [NextDeed.RESULT if snapshot.result else NextDeed.RECIPE]
    if can_resume(snapshot):
        deeds.append(NextDeed.RESUME)
    return Ending(
        icon=IconName.STOP,
        tone=Tone.NORMAL,
        headline=f"Stopped {where}",
        text=f"{measured_change(snapshot)} {kept}".strip(),
        deeds=tuple(deeds),
    )


def _paused(snapshot: RunSnapshot) -> Ending:
    where = (
        f"behind step {snapshot.step:,}" if snapshot.steps else "before the first step"
    )
    told = _kept(snapshot), "Its memory is free.", _still_to_come(snapshot)
    return Ending(
        icon=IconName.PAUSE,
        tone=Tone.NORMAL,
        headline=f"Paused {where}",
        text=" ".join(filter(None, told)),
        deeds=(NextDeed.RESUME, NextDeed.RECIPE),
    )


def _still_to_come(snapshot: RunSnapshot) -> str:
    """How long it would still take; empty while that can't be told."""
    left = seconds_left(snapshot)
    return "" if left is None else f"**{duration_range(*left)}** left once it goes on."


def _kept(snapshot: RunSnapshot) -> str:
    """What is left of a paused run; before its first step nothing needs to be."""
    return saved_words(snapshot) if snapshot.steps else ""


def _ways_on(snapshot: RunSnapshot) -> tuple[NextDeed, ...]:
    if not can_resume(snapshot):
        return ()
    changed = snapshot.failure is not None and snapshot.failure.code == CHANGED
    return (NextDeed.RESUME_CHANGED if changed else NextDeed.RESUME,)


def _own_recipe_words(snapshot: RunSnapshot) -> str:
    """How the window takes a run's own recipe up again, where changing it helps."""
    cause = snapshot.failure.code if snapshot.failure else ""
    if snapshot.state is not RunState.PAUSED or cause != NON_FINITE:
        return ""
    return (
        f"“{NextDeed.FOLDER.words}” leads to its recipe.toml; once that is changed, "
        f"“{NextDeed.RESUME.words}” asks first."
    )


def _less_words(less: str) -> str:
    """What the button for it changes in this very run."""
    name = NextDeed.RESUME_LESS.words
    return f"If memory ran out, “{name}” {less}." if less else ""


def _broken(snapshot: RunSnapshot, less: str) -> Ending:
    failure = snapshot.failure
    lost = snapshot.state in {RunState.LOST, RunState.PAUSED}
    if failure is None:
        headline, rest = "The run broke off", ""
    else:
        failure = in_window(failure)
        headline, rest = failure.what, f"{failure.why} {failure.how_to_fix}".strip()
    kept = saved_words(snapshot)
    text = rest if kept in headline else f"{kept} {rest}".strip()
    hints = text, _own_recipe_words(snapshot), _less_words(less)
    deeds: tuple[NextDeed, ...] = (*_ways_on(snapshot), NextDeed.RECIPE)
    if failure is not None and failure.code in COMES_AGAIN:
        deeds = deeds[::-1]  # going on helps once something is mended
    deeds = (*deeds, NextDeed.FOLDER)
    return Ending(
        icon=IconName.WARNING if lost else IconName.CROSS_CIRCLE,
        tone=Tone.WARNING if lost else Tone.DANGER,
        headline=headline,
        text=" ".join(filter(None, hints)),
        deeds=(*deeds, NextDeed.RESUME_LESS) if less else deeds,
        less=f"{less[0].upper()}{less[1:]}." if less else "",
    )
