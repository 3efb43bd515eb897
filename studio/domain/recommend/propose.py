"""Finds the recipe that a goal's policy prefers among those that fit.

A length is taken when the most frugal recipe for it fits; then the least eased one,
then the first way that fits with the fewest rows at a time, then the most rows. That is
the order of preference, and more memory never leads to a later place in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from studio.domain.learning_rates import steady_rate
from studio.domain.memory.estimate import Verdict
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import (
    ALL_LINEAR,
    AdapterDtype,
    Attention,
    Precision,
)
from studio.domain.recommend.formats import formats_of
from studio.domain.recommend.policy import START, Way
from studio.domain.recommend.proposal import Proposal
from studio.domain.recommend.reasons import reasons_for
from studio.domain.recommend.together import PACKING, ROWS, TIMES, together
from studio.domain.recommend.wish import STOPS, Wish, is_sound

LENGTH = "train.sequence_length"
PROPOSED = (
    "model.precision",
    "model.double_quant",
    "model.compute_dtype",
    "model.attention",
    "lora.rank",
    "lora.alpha",
    "lora.variant",
    "lora.dropout",
    "lora.targets",
    "lora.adapter_dtype",
    LENGTH,
    ROWS,
    TIMES,
    PACKING,
    "train.epochs",
    "train.learning_rate",
    "train.schedule",
    "train.floor",
    "train.restarts",
    "train.warmup",
    "train.optimizer",
    "train.checkpointing",
    "train.offload",
)
"""The options that a proposal decides, whatever they were; the others stay."""


def propose(wish: Wish) -> Proposal:
    """Find the preferred recipe that fits.

    Returns:
        It with its reasons. When none fits, the most frugal one that was looked at,
        with what it lacks.
    """
    recipe = _search(wish)
    fits = recipe is not None
    if recipe is None:
        recipe = _frugal(wish)
    estimate = wish.priced(recipe)
    verdict = Verdict.FITS
    if not fits:
        barely = estimate.least_bytes <= wish.device.free_bytes
        verdict = Verdict.TIGHT if barely else Verdict.DOES_NOT_FIT
    return Proposal(
        recipe,
        estimate,
        verdict,
        tuple(reasons_for(wish, recipe)),
        wish.goal,
        0 if fits else max(0, estimate.peak_bytes - wish.budget),
    )


def _search(wish: Wish) -> Recipe | None:
    ways = _ways(wish)
    stages: tuple[Recipe, ...] = ()
    for length in _lengths(wish):
        stages = tuple(_eased(wish, length))
        if wish.affords(_frugalest(wish, stages[-1], ways[-1])):
            return _preferred(wish, stages, ways)
    # A tiny model may take less memory by another way than by the most frugal one.
    found = (_most_rows(wish, stages[-1], way) for way in ways)
    return next(filter(None, found), None)


def _preferred(
    wish: Wish, stages: Sequence[Recipe], ways: Sequence[Way]
) -> Recipe | None:
    stage = next(
        stage for stage in stages if wish.affords(_frugalest(wish, stage, ways[-1]))
    )
    return next(filter(None, (_most_rows(wish, stage, way) for way in ways)))


def _frugal(wish: Wish) -> Recipe:
    """The recipe with the lowest peak among the shortest and most eased."""
    *_, length = _lengths(wish)
    *_, stage = _eased(wish, length)
    found = (_frugalest(wish, stage, way) for way in _ways(wish))
    return min(found, key=lambda each: wish.priced(each).peak_bytes)


def _most_rows(wish: Wish, stage: Recipe, way: Way) -> Recipe | None:
    if not wish.affords(_frugalest(wish, stage, way)):
        return None
    candidates = _by_rows(wish, stage, way)
    return next(filter(wish.affords, candidates))


def _frugalest(wish: Wish, stage: Recipe, way: Way) -> Recipe:
    *_, fewest = _by_rows(wish, stage, way)
    return fewest


def _by_rows(wish: Wish, stage: Recipe, way: Way) -> Iterator[Recipe]:
    recipe = wish.with_values(stage, _values_of(way, wish))
    for each in together(wish, stage):
        yield wish.with_values(recipe, each.values)


def _ways(wish: Wish) -> Sequence[Way]:
    """Those of the policy that the device and the kept options leave.

    A processor goes the way that a card with little memory would go, so that what was
    tried on it holds there.
    """
    ways = wish.policy.ways
    if wish.device.kind == "cpu":
        ways = tuple(dict.fromkeys(replace(way, four_bit=True) for way in ways))
    # Options that no proposal keeps say nothing about the formats that it may take.
    start = wish.with_values(wish.base, START)
    sound = tuple(
        way for way in ways if is_sound(wish.with_values(start, _values_of(way, wish)))
    )
    return sound or ways


def _values_of(way: Way, wish: Wish) -> Mapping[str, object]:
    compute, adapter = formats_of(wish.device)
    if wish.keeps_dora:
        adapter = AdapterDtype.FP32  # in BF16 its lengths stand still
    whole = Precision(compute.value)
    return {
        "model.precision": Precision.NF4 if way.four_bit else whole,
        "model.double_quant": True,
        "model.compute_dtype": compute,
        "lora.adapter_dtype": adapter,
        "train.checkpointing": way.checkpointing,
    }


def _lengths(wish: Wish) -> Iterator[int]:
    """Lengths of rows, from the one that is wanted to the shortest."""
    if LENGTH in wish.kept:
        yield wish.base.train.sequence_length
        return
    lengths = [wish.whole_length(share) for share in wish.policy.whole]
    shorter = (stop for stop in reversed(STOPS) if stop < lengths[-1])
    yield from dict.fromkeys((*lengths, *shorter))


def _eased(wish: Wish, length: int) -> Iterator[Recipe]:
    """Recipes for a length that are eased more and more."""
    fused = wish.model.decoder.fused_attention
    start = wish.with_values(wish.base, START)
    suited = {
        "model.attention": Attention.SDPA if fused else Attention.EAGER,
        "train.learning_rate": steady_rate(wish.model, start),
        LENGTH: length,
    }
    recipe = _that_may_drop(wish, wish.with_values(start, suited))
    policy = wish.policy
    for number, ease in enumerate(policy.eases):
        if number >= policy.eased:
            yield recipe
        recipe = wish.with_values(recipe, ease.values)
    yield recipe


def _that_may_drop(wish: Wish, recipe: Recipe) -> Recipe:
    """Where drop-out was given, a mixture's experts aren't adapted: they can't drop."""
    if not (wish.model.has_experts and recipe.lora.dropout):
        return recipe
    if ALL_LINEAR not in recipe.lora.targets:
        return recipe
    names = dict.fromkeys(linear.name for linear, _ in wish.model.linears())
    return wish.with_values(recipe, {"lora.targets": tuple(names)})
