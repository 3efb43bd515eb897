"""Which models train on a device: the marks of the model list.

Every mark is a prediction of one frugal recipe, the same for all models, so that they
can be compared: what fits by it can be trained, and what doesn't fit is out of reach
but for shorter rows. Nothing is typed in.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import TrainingDevice, gib
from studio.domain.memory.estimate import MemoryEstimate, Verdict
from studio.domain.memory.formula import estimate_memory
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import (
    ALL_LINEAR,
    Attention,
    Precision,
)
from studio.domain.recommend.formats import formats_of
from studio.domain.recommend.proposal import headroom_bytes

_LENGTH_KEY = "train.sequence_length"
_SHORTEST_TOLD, _LENGTHS_TOLD = 512, 4

RANK = 16
LENGTH = 1024
"""Tokens of the one row that goes through the model at a time."""

RECIPE_WORDS = (
    f"NF4 with double quantisation, rank {RANK} on all linear layers, checkpointing, "
    f"one row of {LENGTH:,} tokens"
)
"""The recipe that marks are worked out for, for people."""

SHORT_RECIPE_WORDS = f"QLoRA on one row of {LENGTH:,} tokens"
"""The same where there is little room."""


FRUGAL = Recipe().with_values(
    {
        "model.precision": Precision.NF4,
        "model.double_quant": True,
        "lora.rank": RANK,
        "lora.targets": (ALL_LINEAR,),
        "train.sequence_length": LENGTH,
        "train.micro_batch": 1,
        "train.checkpointing": True,
    },
)
"""The same as a recipe, before model and device have their say."""


class Mark(StrEnum):
    """Whether a model trains on a device, as the list says it."""

    COMFORTABLE = "trains comfortably"
    TIGHT = "trains tightly"
    NOT_HERE = "not here"


_MARKS = {
    Verdict.FITS: Mark.COMFORTABLE,
    Verdict.TIGHT: Mark.TIGHT,
    Verdict.DOES_NOT_FIT: Mark.NOT_HERE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """A model's mark on a device, with what it rests on.

    Attributes:
        mark: Whether it trains there.
        peak_bytes: The predicted peak of the frugal recipe.
        needed_bytes: What must be free for it to run at all; less than the peak by
            what torch's allocator would give back first.
        free_bytes: What is free on the device.
        headroom_bytes: What a comfortable run leaves of it.
    """

    mark: Mark
    peak_bytes: int
    needed_bytes: int
    free_bytes: int
    headroom_bytes: int

    @property
    def short_bytes(self) -> int:
        """What is missing for it to run at all; 0 when nothing is."""
        return max(0, self.needed_bytes - self.free_bytes)

    @property
    def reason(self) -> str:
        """Why it has its mark, in one sentence."""
        peak, free = gib(self.peak_bytes), gib(self.free_bytes)
        match self.mark:
            case Mark.COMFORTABLE:
                left = gib(self.free_bytes - self.peak_bytes)
                return f"Its peak of {peak} leaves {left} of the {free} that are free."
            case Mark.TIGHT:
                kept = gib(self.headroom_bytes)
                return (
                    f"Its peak of {peak} fits the {free} that are free, but not with "
                    f"{kept} kept for other programs."
                )
            case Mark.NOT_HERE:
                needed, short = gib(self.needed_bytes), gib(self.short_bytes)
                return f"It needs {needed} of memory, {short} more than is free."


def frugal_recipe(model: ModelArchitecture, device: TrainingDevice) -> Recipe:
    """The recipe that a model is marked by: QLoRA with one row at a time."""
    compute, adapter = formats_of(device)
    fused = model.decoder.fused_attention
    return FRUGAL.with_values(
        {
            "model.compute_dtype": compute,
            "model.attention": Attention.SDPA if fused else Attention.EAGER,
            "lora.adapter_dtype": adapter,
            "train.sequence_length": min(LENGTH, model.context),
        },
    )


def mark(model: ModelArchitecture, device: TrainingDevice) -> Marking:
    """Work out whether a model trains on a device.

    Args:
        model: Its shape.
        device: As measured now, or a card that isn't here.
    """
    return judge(frugal_estimate(model, device), device)


def judge(estimate: MemoryEstimate, device: TrainingDevice) -> Marking:
    """The mark that a prediction gets on a device."""
    headroom = headroom_bytes(device)
    return Marking(
        mark=_MARKS[estimate.verdict(device, headroom)],
        peak_bytes=estimate.peak_bytes,
        needed_bytes=estimate.least_bytes,
        free_bytes=device.free_bytes,
        headroom_bytes=headroom,
    )


def frugal_estimate(model: ModelArchitecture, device: TrainingDevice) -> MemoryEstimate:
    """What the frugal recipe takes."""
    # Models that differ by their weights alone are one question to the formula's cache.
    shape = replace(model, context=0)
    return _priced(shape, frugal_recipe(model, device), device)


def longest_texts(
    model: ModelArchitecture, device: TrainingDevice
) -> list[tuple[int, MemoryEstimate]]:
    """The longest rows that the frugal recipe can take on a device.

    Args:
        model: Its shape.
        device: As measured now, or a card that isn't here.

    Returns:
        Doubling lengths in tokens with their predictions, four at most. The last is the
        first that doesn't fit, or the longest text that the model reads.
    """
    recipe = frugal_recipe(model, device)
    found: list[tuple[int, MemoryEstimate]] = []
    for length in _doubling(model.context):
        estimate = _priced(model, recipe.with_value(_LENGTH_KEY, length), device)
        found.append((length, estimate))
        if estimate.least_bytes > device.free_bytes:
            break
    return found[-_LENGTHS_TOLD:]


def _doubling(context: int) -> Iterator[int]:
    length = _SHORTEST_TOLD
    while length < context:
        yield length
        length *= 2
    yield context


def _priced(
    model: ModelArchitecture, recipe: Recipe, device: TrainingDevice
) -> MemoryEstimate:
    """The formula's answer, known again from second to second.

    What is free and what the device is called play no part in it.
    """
    sizeless = replace(device, name="", total_bytes=0, free_bytes=0)
    return estimate_memory(model, recipe, sizeless)
