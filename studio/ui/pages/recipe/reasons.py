"""Why the recipe is as it is: the proposal's reasons, and what the user overrode."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.formula import estimate_memory
from studio.domain.recipe import OPTIONS, Recipe
from studio.domain.recommend.proposal import Proposal, Reason
from studio.ui.forms.option_rows import value_words
from studio.ui.text import count, signed_gib
from studio.ui.tokens import Tone
from studio.ui.widgets.memory_bar_state import Segment

SEGMENTS: Final[Mapping[str, Segment]] = {
    "model.precision": Segment.WEIGHTS,
    "model.double_quant": Segment.WEIGHTS,
    "lora.rank": Segment.ADAPTER,
    "lora.adapter_dtype": Segment.ADAPTER,
    "train.optimizer": Segment.ADAPTER,
    "model.compute_dtype": Segment.ACTIVATIONS,
    "model.attention": Segment.ACTIVATIONS,
    "train.checkpointing": Segment.ACTIVATIONS,
    "train.sequence_length": Segment.ACTIVATIONS,
    "train.micro_batch": Segment.ACTIVATIONS,
    "train.packing": Segment.ACTIVATIONS,
}


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """One row of “Why this recipe”.

    Attributes:
        key: The option that it speaks of.
        what: What was chosen.
        why: One sentence.
        effect: In GiB with its sign; empty when it has none.
        tone: Of the effect: green when it saves.
        yours: Whether the user overrode the recommendation.
        segment: The part of the memory bar that it shapes.
    """

    key: str
    what: str
    why: str
    effect: str
    tone: Tone
    yours: bool
    segment: Segment | None


def reason_rows(
    recipe: Recipe, proposal: Proposal, model: ModelArchitecture, device: TrainingDevice
) -> tuple[ReasonRow, ...]:
    """A row for each reason of the proposal, as far as the recipe follows it."""
    return tuple(
        _overridden(reason, recipe, proposal, model, device)
        if changed_keys(reason, recipe, proposal)
        else _followed(reason)
        for reason in proposal.reasons
    )


def changed_keys(reason: Reason, recipe: Recipe, proposal: Proposal) -> tuple[str, ...]:
    """The options of a reason that the recipe has otherwise than proposed."""
    return tuple(k for k in reason.keys if recipe.value(k) != proposal.recipe.value(k))


def _followed(reason: Reason) -> ReasonRow:
    return ReasonRow(
        reason.key,
        reason.what,
        reason.why,
        _effect_words(-reason.saves_bytes),
        Tone.SUCCESS if reason.saves_bytes > 0 else Tone.NORMAL,
        yours=False,
        segment=SEGMENTS.get(reason.key),
    )


def _overridden(
    reason: Reason,
    recipe: Recipe,
    proposal: Proposal,
    model: ModelArchitecture,
    device: TrainingDevice,
) -> ReasonRow:
    recommended = recipe
    for key in changed_keys(reason, recipe, proposal):
        recommended = recommended.with_value(key, proposal.recipe.value(key))
    now = estimate_memory(model, recipe, device).peak_bytes
    change = now - estimate_memory(model, recommended, device).peak_bytes
    return ReasonRow(
        reason.key,
        _own_words(reason.key, recipe),
        f"Chosen here. Recommended: {reason.what}.",
        _effect_words(change),
        Tone.SUCCESS if change < 0 else Tone.NORMAL,
        yours=True,
        segment=SEGMENTS.get(reason.key),
    )


def _own_words(key: str, recipe: Recipe) -> str:
    if key == "train.micro_batch":
        rows, times = recipe.train.micro_batch, recipe.train.accumulation
        kind = "packed row" if recipe.train.packing else "row"
        return f"{count(rows, kind)} at a time, {count(times, 'time')} per step"
    option = OPTIONS[key]
    return f"{option.title}: {value_words(option, recipe.value(key))}"


def _effect_words(change_bytes: int) -> str:
    words = signed_gib(change_bytes)
    return "" if words == "0" else f"{words} GiB"
