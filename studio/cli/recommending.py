"""`snugtune recommend`: a whole recipe that fits, why it is so, or what would fit."""

import math
import textwrap
from datetime import UTC, datetime
from pathlib import Path

from studio.cli import terminal
from studio.cli.devices import asked_device_aloud
from studio.cli.fetching import file_here
from studio.domain.errors import refusal
from studio.domain.hardware import amount, gib
from studio.domain.memory.estimate import Level, MemoryEstimate
from studio.domain.recipe import Recipe, option_for
from studio.domain.recommend.duration import Seconds
from studio.domain.recommend.elsewhere import Alternative, Exit
from studio.domain.recommend.policy import POLICIES, Goal
from studio.domain.recommend.proposal import Reason
from studio.domain.time_words import duration_range
from studio.services.recommending import Recommendation, recommend
from studio.storage.data_sets import read_data
from studio.storage.recipes import save_recipe

FULL_TRAINING = "compat.full_training"
_TIME_BASIS = "from the card’s data sheet, not measured"


def find(
    model: str, data: Path | None, gpu: str, goal: Goal, assignments: list[str] | None
) -> Recommendation:
    """Look for a recipe.

    Args:
        model: A name of the model list, a folder or a hub id.
        data: A file of chats; None for none.
        gpu: A card's name or its memory in GiB; empty for the device here.
        goal: What the free memory shall buy.
        assignments: Options that are set and stay, as ``key=value``.

    Raises:
        StudioError: Something of it isn't known or can't be read.
    """
    base = Recipe().with_value("model.name", model)
    kept = set()
    for assignment in assignments or ():
        base = base.with_typed(assignment)
        kept.add(assignment.partition("=")[0].strip())
    chats = None
    if data is not None:
        base = base.with_value("data.path", str(file_here(data)))
        chats = read_data(base.data)
    device = asked_device_aloud(gpu)
    return recommend(base, device, chats, goal, frozenset(kept))


def card_of(gpu: str, vram: float | None) -> str:
    """The card that is meant by its name, or by its memory in GiB.

    Raises:
        StudioError: Both are given, or no card has such a memory.
    """
    if vram is None:
        return gpu
    if gpu:
        raise refusal(
            "recommend.two-cards",
            "Both --gpu and --vram name a card.",
            fix="Give one of the two.",
            where="--vram",
        )
    if not vram > 0 or math.isinf(vram):
        raise refusal(
            "recommend.vram",
            f"No card has a memory of {vram:g} GiB.",
            fix="Give a number above 0, such as --vram 24.",
            where="--vram",
        )
    return f"{vram:g} GiB"


def document(found: Recommendation) -> dict[str, object]:
    """The recommendation for programs."""
    proposal, device = found.proposal, found.wish.device
    recipe = proposal.recipe
    return {
        "fits": proposal.fits,
        "goal": proposal.goal.value,
        "device": {
            "name": device.name,
            "total_bytes": device.total_bytes,
            "free_bytes": device.free_bytes,
        },
        "budget_bytes": found.wish.budget,
        "recipe": recipe.to_document() if proposal.fits else None,
        "peak": _peak(proposal.estimate),
        "missing_bytes": proposal.missing_bytes,
        "time": _time(found),
        "reasons": [
            entry for each in proposal.reasons for entry in _entries(each, recipe)
        ],
        "remarks": [remark.sentence() for remark in recipe.remarks()],
        "alternatives": [_alternative(each) for each in found.alternatives],
    }


def save(found: Recommendation, file: Path) -> None:
    """Write the recipe; a file that is there stays.

    Raises:
        StudioError: Nothing fits, or there is such a file already.
    """
    if not found.proposal.fits:
        raise refusal(
            "recommend.none",
            "No recipe fits, so none was written.",
            fix="See what would fit: the same command without -o.",
            where=str(file),
        )
    if file.exists():
        raise refusal(
            "recommend.exists",
            "There is such a file already; it was left alone.",
            fix="Give another name.",
            where=str(file),
        )
    save_recipe(file, found.proposal.recipe)


def say(found: Recommendation) -> None:
    """Print the recommendation for a person."""
    proposal, device = found.proposal, found.wish.device
    peak, free = gib(proposal.estimate.peak_bytes), gib(device.free_bytes)
    policy = POLICIES[proposal.goal]
    if proposal.fits:
        terminal.say(f"Fits: {peak} of the {free} that are free on {device.name}.")
    else:
        terminal.say(f"Nothing fits {device.name} with {free} free.")
        lacks = amount(proposal.missing_bytes)
        _wrapped(f"The most frugal recipe takes {peak} and lacks {lacks}. It would be:")
    terminal.say(f"{policy.title}: {policy.help}")
    terminal.say()
    for reason in proposal.reasons:
        _say_reason(reason)
    _say_time(found)
    if found.alternatives:
        terminal.say("What would fit:")
        for each in found.alternatives:
            terminal.say(f"  {_words(each)}")
    for remark in proposal.recipe.remarks():
        terminal.say_finding(remark)


def _say_reason(reason: Reason) -> None:
    saved = reason.saves_bytes
    effect = ""
    if abs(saved) >= 1 << 24:
        effect = f"saves {gib(saved)}" if saved > 0 else f"costs {gib(-saved)}"
    terminal.say(f"{reason.what:<44}{effect}".rstrip())
    _wrapped(reason.why)


def _wrapped(text: str) -> None:
    terminal.say(
        textwrap.fill(text, terminal.WIDTH, initial_indent="  ", subsequent_indent="  ")
    )


def _say_time(found: Recommendation) -> None:
    terminal.say()
    if found.step is None:
        terminal.say("Time: not known for this device before a run was timed.")
        return
    terminal.say(f"A step: {_span(found.step)}, {_TIME_BASIS}.")
    if found.total is not None:
        terminal.say(f"The run: {found.steps:,} steps, {_span(found.total)}.")


def _span(seconds: Seconds) -> str:
    return duration_range(seconds.low, seconds.high)


def _peak(estimate: MemoryEstimate) -> dict[str, object]:
    return {
        "bytes": {level.word: estimate.bytes_up_to(level) for level in Level},
        "phase": estimate.phase,
        "basis": estimate.basis.value,
        "components": [
            {"name": part.name, "bytes": part.bytes, "phase": part.phase}
            for part in estimate.components
        ],
    }


def _time(found: Recommendation) -> dict[str, object] | None:
    if found.step is None:
        return None
    total = found.total
    return {
        "step_seconds": [found.step.low, found.step.high],
        "total_seconds": None if total is None else [total.low, total.high],
        "steps": found.steps,
        "basis": _TIME_BASIS,
    }


def _entries(reason: Reason, recipe: Recipe) -> list[dict[str, object]]:
    """One entry an option; only the first of those explained together saves."""
    values = recipe.to_values()
    return [
        {
            "option": key,
            "value": values[key],
            "what": reason.what,
            "why": reason.why,
            "saves_bytes": reason.saves_bytes if key == reason.key else 0,
        }
        for key in reason.keys
    ]


def _alternative(each: Alternative) -> dict[str, object]:
    return {
        "kind": each.kind.value,
        "name": each.name,
        "recipe": each.proposal.recipe.to_document(),
        "peak_bytes": each.proposal.estimate.peak_bytes,
        "usd_an_hour": None if each.price is None else each.price.usd_an_hour,
    }


def _words(each: Alternative) -> str:
    recipe = each.proposal.recipe
    peak = gib(each.proposal.estimate.peak_bytes)
    length = f"rows of {recipe.train.sequence_length:,} tokens"
    match each.kind:
        case Exit.UNLOCK if each.name == FULL_TRAINING:
            return f"An adapter in place of every weight ({each.name}): {peak}."
        case Exit.UNLOCK:
            option = option_for(each.name)
            value = option.show(recipe.value(each.name))
            return f"{option.title} at {value} ({each.name}): {peak}."
        case Exit.MODEL:
            return f"{each.name} here: {peak}, {length}."
        case Exit.CARD:
            rent = ""
            if each.price is not None:
                today = datetime.now(UTC).date()
                rent = f" To rent: {each.price.words(today)}."
            return f"{each.name}: {peak}, {length}.{rent}"
