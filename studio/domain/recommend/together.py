"""How many rows go through the model at a time, each alone or packed."""

from collections.abc import Sequence
from dataclasses import dataclass

from studio.domain.judgement_findings import LEAST_RATED
from studio.domain.method_options import Method
from studio.domain.packing import rows_in_a_pack
from studio.domain.recipe import Recipe
from studio.domain.recommend.duration import operations_of_row
from studio.domain.recommend.policy import EFFECTIVE_BATCH
from studio.domain.recommend.wish import Wish

PACKING, ROWS, TIMES = "train.packing", "train.micro_batch", "train.accumulation"

# Fewer rows in a pack aren't worth its mask; more than a step's batch would make each
# step learn from more rows than adapters need.
_LEAST_ROWS, _MOST_ROWS = 1.5, EFFECTIVE_BATCH
# Attention goes over all pairs of a pack, masked ones too, which long packs of short
# rows would pay with more time than they save.
_MOST_OPERATIONS = 1.1


@dataclass(frozen=True, slots=True)
class Together:
    """What goes through the model at a time.

    Attributes:
        packs: Whether rows are packed.
        count: Rows, or packs of them.
        held: Rows of the data in it, on average.
        times: Before each optimizer step.
    """

    packs: bool
    count: int
    held: float
    times: int

    @property
    def values(self) -> dict[str, object]:
        """By the options' keys."""
        return {PACKING: self.packs, ROWS: self.count, TIMES: self.times}


def together(wish: Wish, recipe: Recipe) -> list[Together]:
    """What may go through the model at a time: the most rows first.

    Where rows are packed, unpacked ones are left for want of memory alone: as many of
    them at a time take more than packs that hold as many. The last takes the least.

    Args:
        wish: What is sought.
        recipe: With the length of its rows.
    """
    counts = _counts(wish)
    batch = wish.base.effective_batch() if TIMES in wish.kept else EFFECTIVE_BATCH
    found: list[Together] = []
    if packs(wish, recipe):
        held = rows_in_a_pack(wish.lengths, recipe.train.sequence_length)
        within = [n for n in counts if n * held <= batch] or [min(counts)]
        found += [_together(batch, n, held, packs=True) for n in within]
    if PACKING in wish.kept and found:
        return found
    alone = [min(counts)] if found else counts
    return [*found, *(_together(batch, n, 1.0, packs=False) for n in alone)]


def packs(wish: Wish, recipe: Recipe) -> bool:
    """Whether rows are packed where the memory allows it.

    As it was given; else where the goal has it, the data's lengths make it worth while
    and attention doesn't take longer than padding would. A processor is faster with
    several rows of like length than with packs, whose masked pairs it computes as well
    (tests/bench/packing.py), so it packs only where one row goes at a time.
    """
    if PACKING in wish.kept:
        return wish.base.train.packing
    if not (wish.policy.packs and wish.lengths.rows):
        return False
    if wish.base.train.method is not Method.SFT:
        return False  # judged answers are compared whole
    if wish.device.kind == "cpu" and max(_counts(wish)) > 1:
        return False
    held = rows_in_a_pack(wish.lengths, recipe.train.sequence_length)
    if not _LEAST_ROWS <= held <= _MOST_ROWS:
        return False
    alone, packed = (
        operations_of_row(
            wish.model,
            recipe.with_values({PACKING: each, ROWS: 1}),
            wish.lengths,
        )
        for each in (False, True)
    )
    return packed <= _MOST_OPERATIONS * alone


def _counts(wish: Wish) -> Sequence[int]:
    """Rows at a time that may be chosen among."""
    if ROWS in wish.kept:
        return [wish.base.train.micro_batch]
    least = LEAST_RATED if wish.base.train.method is Method.KTO else 1
    return sorted({max(least, rows) for rows in wish.policy.rows}, reverse=True)


def _together(batch: int, count: int, held: float, *, packs: bool) -> Together:
    times = batch // count if held == 1 else round(batch / (count * held))
    return Together(packs, count, count * held, max(1, times))
