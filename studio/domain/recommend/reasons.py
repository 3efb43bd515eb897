"""Says why a proposed recipe is as it is: each choice, what it buys, in what memory.

Every option whose value isn't its default is explained, and of the defaults those that
shape the memory most.
"""

from collections.abc import Iterator, Mapping

from studio.domain.hardware import gib
from studio.domain.method_options import Method
from studio.domain.packing import rows_in_a_pack, rows_of_a_step
from studio.domain.recipe import OPTIONS, Recipe
from studio.domain.recipe_options import ComputeDtype, Precision
from studio.domain.recommend.policy import EIGHT_BIT_STATES, SMALL_ADAPTER, START, Goal
from studio.domain.recommend.proposal import Reason
from studio.domain.recommend.wish import Wish
from studio.domain.train_options import Optimizer

LENGTH = "train.sequence_length"
_USUAL_RATE = float(str(OPTIONS["train.learning_rate"].default))
_NOT_CHOSEN = frozenset({"model.name", "data.path", "data.format", "data.columns"})


def reasons_for(wish: Wish, recipe: Recipe) -> list[Reason]:
    """The reasons of a proposed recipe, by how much they matter.

    Args:
        wish: What it was sought for.
        recipe: What was found.
    """
    told = [reason for reason in _chosen(wish, recipe) if reason.key not in wish.kept]
    explained = {key for reason in told for key in reason.keys}
    return [*told, *_kept(wish, recipe, explained)]


def _chosen(wish: Wish, recipe: Recipe) -> Iterator[Reason]:
    yield _precision(wish, recipe)
    yield from _formats(wish, recipe)
    if not wish.model.decoder.fused_attention:
        yield Reason(
            "model.attention",
            "Eager attention",
            "This model caps its scores, which SDPA can’t do.",
        )
    yield _checkpointing(wish, recipe)
    yield _rows(wish, recipe)
    if recipe.train.packing:
        yield _packing(wish, recipe)
    yield _length(wish, recipe)
    if recipe.train.optimizer is Optimizer.ADAMW_8BIT:
        yield Reason(
            "train.optimizer",
            EIGHT_BIT_STATES.what,
            EIGHT_BIT_STATES.why,
            _saved(wish, recipe, {"train.optimizer": Optimizer.ADAMW_FUSED}),
        )
    full = recipe.trains_all
    if recipe.lora.rank < int(str(START["lora.rank"])) and not full:
        yield Reason(
            "lora.rank",
            SMALL_ADAPTER.what,
            SMALL_ADAPTER.why,
            _saved(wish, recipe, {"lora.rank": START["lora.rank"]}),
            also=("lora.alpha",),
        )
    if wish.model.has_experts and recipe.lora.targets != START["lora.targets"]:
        yield Reason(
            "lora.targets",
            f"Adapter on {', '.join(recipe.lora.targets)}",
            "Drop-out was given, and the inputs of experts can’t be dropped.",
        )
    if recipe.train.learning_rate != _USUAL_RATE:
        yield _rate(recipe)


def _rate(recipe: Recipe) -> Reason:
    rate = recipe.train.learning_rate
    if recipe.trains_all:
        why = "All weights take a tenth of the usual rate."
    elif recipe.train.method is not Method.SFT:
        why = f"{recipe.train.method.name} learns from judgements, in smaller steps."
    elif recipe.lora.plus_ratio != 1 and rate < _USUAL_RATE:
        why = (
            f"The adapter’s B matrices learn {recipe.lora.plus_ratio:g} times as fast."
        )
    elif rate > _USUAL_RATE:
        why = "Narrow models bear a higher rate than wide ones."
    else:
        why = "Wide models learn steadily at a lower rate."
    return Reason("train.learning_rate", f"Learning rate {rate:g}", why)


def _saved(wish: Wish, recipe: Recipe, otherwise: Mapping[str, object]) -> int:
    """How much less the recipe takes than the same with other values."""
    other = recipe.with_values(otherwise)
    return wish.priced(other).peak_bytes - wish.priced(recipe).peak_bytes


def _precision(wish: Wish, recipe: Recipe) -> Reason:
    whole = gib(wish.model.parameters * 2)
    if recipe.trains_all:
        name = recipe.model.precision.value.upper()
        why = "Every weight is trained, which quantised ones can’t be."
        return Reason("model.precision", f"Weights in {name}", why)
    if recipe.model.precision.is_four_bit:
        plain = {"model.precision": _whole_precision(recipe)}
        return Reason(
            "model.precision",
            "4-bit weights (NF4, double quant)",
            f"In 16 bits they need {whole}.",
            _saved(wish, recipe, plain),
            also=("model.double_quant",),
        )
    return Reason(
        "model.precision",
        f"Weights in {recipe.model.precision.value.upper()}",
        "They fit, so the adapter learns on the very weights it is merged into.",
        _saved(wish, recipe, {"model.precision": Precision.NF4}),
        also=("model.double_quant",),
    )


def _whole_precision(recipe: Recipe) -> Precision:
    return Precision(recipe.model.compute_dtype.value)


def _formats(wish: Wish, recipe: Recipe) -> Iterator[Reason]:
    also = ("lora.adapter_dtype",)
    if wish.keeps_dora and recipe.model.compute_dtype is ComputeDtype.BF16:
        why = "DoRA learns nothing of lengths in BF16."
        yield Reason("lora.adapter_dtype", "FP32 adapter", why)
    match recipe.model.compute_dtype:
        case ComputeDtype.FP16:
            why = f"{wish.device.name} has no BF16; the adapter stays in FP32 for "
            yield Reason(
                "model.compute_dtype", "FP16 activations", f"{why}safety.", also=also
            )
        case ComputeDtype.FP32:
            why = "This processor has no fast BF16."
            yield Reason("model.compute_dtype", "FP32 activations", why, also=also)
        case ComputeDtype.BF16:
            return


def _checkpointing(wish: Wish, recipe: Recipe) -> Reason:
    if recipe.train.checkpointing:
        return Reason(
            "train.checkpointing",
            "Recompute instead of remembering",
            "Each layer runs twice: about a third more time.",
            _saved(wish, recipe, {"train.checkpointing": False}),
        )
    return Reason(
        "train.checkpointing",
        "Remember instead of recomputing",
        "Each layer runs once: about a quarter less time.",
        _saved(wish, recipe, {"train.checkpointing": True}),
    )


def _rows(wish: Wish, recipe: Recipe) -> Reason:
    rows, times = recipe.train.micro_batch, recipe.train.accumulation
    packed = recipe.train.packing
    kind = "packed row" if packed else "row"
    noun = f"One {kind}" if rows == 1 else f"{rows} {kind}s"
    batch = f"{rows_of_a_step(recipe, wish.lengths):.0f}"
    return Reason(
        "train.micro_batch",
        f"{noun} at a time, {_times(times)} per step",
        f"A step learns from about {batch} rows of the data."
        if packed
        else f"The batch of a step is {batch} either way.",
        _saved(wish, recipe, {"train.micro_batch": 1}) if rows > 1 else 0,
        also=("train.accumulation",),
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _packing(wish: Wish, recipe: Recipe) -> Reason:
    length = recipe.train.sequence_length
    held = rows_in_a_pack(wish.lengths, length)
    return Reason(
        "train.packing",
        "Short rows packed together",
        f"About {held:.1f} rows fill one of {length:,} tokens and don’t see each "
        f"other: {1 - 1 / held:.0%} fewer to go through, without padding.",
        _saved(wish, recipe, {"train.packing": False}),
    )


def _length(wish: Wish, recipe: Recipe) -> Reason:
    length, wanted = recipe.train.sequence_length, wish.whole_length(1.0)
    if length >= wanted:
        what = f"Rows of {length:,} tokens"
        return Reason(LENGTH, what, _whole_words(wish, length))
    what = f"Rows of {length:,} tokens at most"
    longer = recipe.with_value(LENGTH, wanted)
    saved = wish.priced(longer).peak_bytes - wish.priced(recipe).peak_bytes
    # Where weights are all but everything, a shorter row may fragment a little more.
    return Reason(LENGTH, what, _cut_words(wish, length, wanted), max(0, saved))


def _whole_words(wish: Wish, length: int) -> str:
    if not wish.lengths.rows:
        if length == wish.model.context:
            return "This is the longest text that the model reads."
        return "No data is chosen yet; this is a usual length."
    cut = wish.lengths.longer_than(length)
    if cut:
        return f"The model reads no more; {_share(wish, cut)} are cut."
    if wish.lengths.counted:
        return "All rows fit in whole."
    return "By their length in characters, all rows fit in whole."


def _cut_words(wish: Wish, length: int, wanted: int) -> str:
    if not wish.lengths.rows:
        return f"{wanted:,} would be better, but not in this memory."
    cut = wish.lengths.longer_than(length)
    because = (
        "whose padding would slow the others"
        if wish.goal is Goal.SPEED
        else "for which there is no room"
    )
    judged = "" if wish.lengths.counted else ", judged by characters"
    return f"{_share(wish, cut)} are cut, {because}{judged}; {wanted:,} would hold all."


def _share(wish: Wish, cut: int) -> str:
    return f"{cut:,} of {wish.lengths.rows:,} rows ({cut / wish.lengths.rows:.1%})"


def _kept(wish: Wish, recipe: Recipe, explained: set[str]) -> Iterator[Reason]:
    """What isn't the default because it was given."""
    for key, option in OPTIONS.items():
        value = recipe.value(key)
        if recipe.trains_all and option.group == "lora":
            continue
        if key in explained or key in _NOT_CHOSEN or value == option.default:
            continue
        what = f"{option.title}: {option.show(value)}"
        why = "It was given and stays." if key in wish.kept else "As the recipe has it."
        yield Reason(key, what, why)
