"""A first recipe for a model, a device and a data set, each choice with its reason.

The search is a short list of candidates in order of preference; the first that is
predicted to fit the free memory, head-room kept, is taken. What is given up, and in
which order, is written in `_candidates` alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import GIB, TrainingDevice, gib
from studio.domain.memory.estimate import MemoryEstimate, Verdict
from studio.domain.memory.formula import estimate_memory
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import (
    AdapterDtype,
    Attention,
    ComputeDtype,
    Precision,
)

EFFECTIVE_BATCH = 16
SHORTEST = 128
LONGEST = 2048
CHARACTERS_A_TOKEN = 3.0  # fewer than English text has, so lengths are not underrated


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an option has its value.

    Attributes:
        key: The option.
        what: What was chosen, in words.
        why: One sentence.
        saves_bytes: Against the alternative; negative when it costs; 0 for none.
    """

    key: str
    what: str
    why: str
    saves_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Proposal:
    """A whole recipe, its predicted peak, whether it fits, and why it is so."""

    recipe: Recipe
    estimate: MemoryEstimate
    verdict: Verdict
    reasons: tuple[Reason, ...]


def headroom_bytes(device: TrainingDevice) -> int:
    """What is left free for other programs' whims: half a GiB, at most 5 %."""
    return min(GIB // 2, device.total_bytes // 20)


def propose(
    model: ModelArchitecture,
    device: TrainingDevice,
    base: Recipe,
    longest_row_characters: int = 0,
) -> Proposal:
    """Find a recipe that fits what is free.

    Args:
        model: The base model's shape.
        device: Where it shall be trained, as measured now.
        base: Carries what is not proposed here: model, data, seed.
        longest_row_characters: Of the data set; 0 while no data is chosen.

    Returns:
        The preferred recipe that is predicted to fit. When none does, the most
        frugal one, with the verdict that it doesn't.
    """
    headroom = headroom_bytes(device)
    wanted = _sequence_length(model, longest_row_characters)
    if base.model.attention is Attention.SDPA and not model.decoder.fused_attention:
        base = base.with_value("model.attention", Attention.EAGER)
    best: tuple[Recipe, MemoryEstimate, Verdict] | None = None
    for recipe in _candidates(base, device, wanted):
        estimate = estimate_memory(model, recipe, device)
        best = recipe, estimate, estimate.verdict(device, headroom)
        if best[2] is Verdict.FITS:
            break
    assert best is not None  # _candidates yields at least one recipe
    recipe, estimate, verdict = best
    reasons = _reasons(model, device, recipe, wanted)
    return Proposal(recipe, estimate, verdict, tuple(reasons))


def _candidates(base: Recipe, device: TrainingDevice, wanted: int) -> Iterator[Recipe]:
    """Recipes from the most generous to the most frugal.

    Given up first is the number of rows at a time, then remembering (checkpointing
    costs time, not quality), and only last the length of the rows.
    """
    start = base
    for key, value in _by_device(device):
        start = start.with_value(key, value)
    length = wanted
    while True:
        for checkpointing in (False, True):
            for rows in (4, 2, 1):
                yield _sized(start, length, rows, checkpointing=checkpointing)
        if length <= SHORTEST:
            return
        length = max(SHORTEST, length // 2)


def _by_device(device: TrainingDevice) -> list[tuple[str, object]]:
    if device.has_bf16:
        formats = ComputeDtype.BF16, AdapterDtype.BF16
    elif device.kind == "cuda":
        formats = ComputeDtype.FP16, AdapterDtype.FP32
    else:
        formats = ComputeDtype.FP32, AdapterDtype.FP32
    return [
        ("model.precision", Precision.NF4),
        ("model.double_quant", True),
        ("model.compute_dtype", formats[0]),
        ("lora.adapter_dtype", formats[1]),
    ]


def _sized(start: Recipe, length: int, rows: int, *, checkpointing: bool) -> Recipe:
    return (
        start.with_value("train.sequence_length", length)
        .with_value("train.micro_batch", rows)
        .with_value("train.accumulation", EFFECTIVE_BATCH // rows)
        .with_value("train.checkpointing", checkpointing)
    )


def _sequence_length(model: ModelArchitecture, longest_row_characters: int) -> int:
    """The least power of two that holds the longest row, within the bounds."""
    tokens = longest_row_characters / CHARACTERS_A_TOKEN or LONGEST / 2
    length = SHORTEST
    while length < tokens:
        length *= 2
    return min(length, LONGEST, model.context)


def _reasons(
    model: ModelArchitecture, device: TrainingDevice, recipe: Recipe, wanted: int
) -> Iterator[Reason]:
    def saved(key: str, value: object) -> int:
        other = estimate_memory(model, recipe.with_value(key, value), device)
        return other.peak_bytes - estimate_memory(model, recipe, device).peak_bytes

    whole = model.parameters * 2
    yield Reason(
        "model.precision",
        "4-bit weights (NF4, double quant)",
        f"In 16 bits they need {gib(whole)}.",
        saved("model.precision", Precision.BF16),
    )
    yield from _format_reason(device, recipe)
    if not model.decoder.fused_attention:
        yield Reason(
            "model.attention",
            "Eager attention",
            "This model caps its scores, which SDPA can’t do.",
        )
    if recipe.train.checkpointing:
        yield Reason(
            "train.checkpointing",
            "Recompute instead of remembering",
            "Each layer runs twice, which takes about a third more time.",
            saved("train.checkpointing", False),
        )
    yield _batch_reason(recipe, saved("train.micro_batch", 1))
    if recipe.train.sequence_length < wanted:
        yield Reason(
            "train.sequence_length",
            f"Rows of {recipe.train.sequence_length:,} tokens at most",
            f"{wanted:,} would hold the longest row, but not in this memory.",
            saved("train.sequence_length", wanted),
        )
    else:
        yield Reason(
            "train.sequence_length",
            f"Rows of {recipe.train.sequence_length:,} tokens",
            _length_sentence(model, wanted),
        )


def _length_sentence(model: ModelArchitecture, wanted: int) -> str:
    if wanted == model.context:
        return "This is the longest text that the model reads."
    if wanted == LONGEST:
        return "Longer rows are cut; raise it if the ends matter."
    return "By their length in characters, all rows fit in whole."


def _format_reason(device: TrainingDevice, recipe: Recipe) -> Iterator[Reason]:
    match recipe.model.compute_dtype:
        case ComputeDtype.FP16:
            yield Reason(
                "model.compute_dtype",
                "FP16 activations",
                f"{device.name} has no BF16; the adapter stays in FP32 for safety.",
            )
        case ComputeDtype.FP32:
            yield Reason(
                "model.compute_dtype",
                "FP32 activations",
                "This processor has no fast BF16.",
            )
        case ComputeDtype.BF16:
            return


def _batch_reason(recipe: Recipe, saved: int) -> Reason:
    rows, times = recipe.train.micro_batch, recipe.train.accumulation
    noun = "One row" if rows == 1 else f"{rows} rows"
    return Reason(
        "train.micro_batch",
        f"{noun} at a time, {times} times per step",
        f"The batch of a step is {rows * times} either way.",
        saved,
    )
