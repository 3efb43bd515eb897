"""What would make a run fit: only changes that are enough by themselves."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from studio.domain.architecture import ModelArchitecture
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate, Verdict
from studio.domain.memory.formula import estimate_memory
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import Precision
from studio.domain.recommend.proposal import Proposal, headroom_bytes
from studio.domain.train_options import ADAMWS, IN_EIGHT_BITS, Optimizer
from studio.ui.pages.recipe.ladders import RANKS, sequence_lengths
from studio.ui.text import count

MOST = 3


@dataclass(frozen=True, slots=True)
class Remedy:
    """One way out.

    Attributes:
        words: A button's text: what is done.
        recipe: The recipe with it.
        saves_bytes: Of the predicted peak.
    """

    words: str
    recipe: Recipe
    saves_bytes: int


def remedies(
    recipe: Recipe,
    model: ModelArchitecture,
    device: TrainingDevice,
    proposal: Proposal | None,
    estimate: MemoryEstimate | None = None,
) -> tuple[Remedy, ...]:
    """At most three changes, each enough to make the run fit what is free.

    Args:
        recipe: That doesn't fit.
        model: The base model's shape.
        device: With the memory that is free now.
        proposal: What is recommended here, if known.
        estimate: Of the recipe, on a better basis than the formula. How far the
            formula is off for the recipe, it is taken to be for its neighbours.

    Returns:
        The recommendation first, then what costs the least quality.
    """
    now = estimate_memory(model, recipe, device).peak_bytes
    missed = 0 if estimate is None else estimate.peak_bytes - now
    judged = replace(device, free_bytes=device.free_bytes - missed)
    found: list[Remedy] = []
    on_card = device.kind == "cuda"
    for words, changed in _candidates(recipe, model, proposal, on_card=on_card):
        if changed.contradictions():
            continue
        then = estimate_memory(model, changed, device)
        fits = then.verdict(judged, headroom_bytes(device))
        if fits is not Verdict.DOES_NOT_FIT:
            found.append(Remedy(words, changed, now - then.peak_bytes))
    return tuple(_first_of_each_kind(found))[:MOST]


def _first_of_each_kind(found: list[Remedy]) -> Iterator[Remedy]:
    # Several lengths or ranks may be enough; the mildest, which comes first, is told.
    seen: set[str] = set()
    for remedy in found:
        kind = "".join(c for c in remedy.words if not c.isdigit())
        if kind not in seen:
            seen.add(kind)
            yield remedy


def _candidates(
    recipe: Recipe,
    model: ModelArchitecture,
    proposal: Proposal | None,
    *,
    on_card: bool,
) -> Iterator[tuple[str, Recipe]]:
    if proposal is not None and proposal.recipe != recipe:
        yield "Use the proposal", proposal.recipe
    if not recipe.train.checkpointing:
        yield (
            "Recompute instead of remembering",
            recipe.with_value("train.checkpointing", True),
        )
    yield from _fewer_rows(recipe)
    if on_card and recipe.train.checkpointing and not recipe.train.offload:
        yield "Remember in main memory", recipe.with_value("train.offload", True)
    if not recipe.model.precision.is_four_bit:
        yield "4-bit weights", recipe.with_value("model.precision", Precision.NF4)
    yield from _fewer_states(recipe)
    for length in reversed(sequence_lengths(model.context)):
        if length < recipe.train.sequence_length:
            words = f"Rows of {length:,} tokens"
            yield words, recipe.with_value("train.sequence_length", length)
    for rank in reversed(RANKS):
        if rank < recipe.lora.rank:
            yield f"Rank {rank}", recipe.with_value("lora.rank", rank)


def _fewer_states(recipe: Recipe) -> Iterator[tuple[str, Recipe]]:
    if narrow := IN_EIGHT_BITS.get(recipe.train.optimizer):
        yield "8-bit optimizer", recipe.with_value("train.optimizer", narrow)
    if recipe.trains_all and recipe.train.optimizer in ADAMWS:
        factored = recipe.with_value("train.optimizer", Optimizer.ADAFACTOR)
        yield "Adafactor, with next to no states", factored


def _fewer_rows(recipe: Recipe) -> Iterator[tuple[str, Recipe]]:
    """Half, a quarter ... as many rows at a time; the batch of a step stays."""
    batch, rows = recipe.effective_batch(), recipe.train.micro_batch // 2
    while rows:
        if batch % rows == 0:
            changed = recipe.with_value("train.micro_batch", rows)
            times = batch // rows
            yield (
                f"{count(rows, 'row')} at a time",
                changed.with_value("train.accumulation", times),
            )
        rows //= 2
