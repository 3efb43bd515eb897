"""The switches of a recipe that memory hangs on, each with the recipe that has it."""

from collections.abc import Iterator
from dataclasses import dataclass

from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.options import Value
from studio.domain.recipe import Recipe, option_for
from studio.domain.recipe_options import (
    AdapterDtype,
    Attention,
    ComputeDtype,
    Precision,
)
from studio.domain.train_options import ADAMWS, IN_EIGHT_BITS, Optimizer

_LEAST_LENGTH, _LEAST_RANK = 256, 4
# Saves in fewer bytes than anybody plans with.
_LEAST_BYTES = 1 << 20
_SIXTEEN_BIT = {
    ComputeDtype.BF16: Precision.BF16,
    ComputeDtype.FP16: Precision.FP16,
    ComputeDtype.FP32: Precision.FP32,
}


_IN_FULL = {
    Optimizer.ADAMW_8BIT: Optimizer.ADAMW_FUSED,
    Optimizer.LION_8BIT: Optimizer.LION,
}


@dataclass(frozen=True, slots=True)
class Switch:
    """One change of a recipe.

    Attributes:
        key: The option that is turned.
        value: What it is turned to.
        words: What is done, for people.
        recipe: The recipe with it, free of contradictions.
    """

    key: str
    value: Value
    words: str
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Saving:
    """What a switch would do to the peak.

    Attributes:
        switch: The change.
        saves_bytes: Of the device peak; negative where it costs.
    """

    switch: Switch
    saves_bytes: int


def switches(recipe: Recipe, *, on_card: bool = False) -> tuple[Switch, ...]:
    """Every switch that can be turned in a recipe, whether it saves or costs.

    Args:
        recipe: That is changed.
        on_card: Whether it runs on one, so that something can leave it.
    """
    return tuple(
        switch
        for switch in _all_switches(recipe, on_card=on_card)
        if switch.recipe != recipe and not switch.recipe.contradictions()
    )


def savings(
    now: MemoryEstimate, priced: list[tuple[Switch, MemoryEstimate]]
) -> tuple[Saving, ...]:
    """What each switch saves of a peak, the most first; what changes nothing is left.

    Args:
        now: Of the recipe as it is.
        priced: Each switch with the estimate of its recipe, on the same basis.
    """
    found = (Saving(each, now.peak_bytes - it.peak_bytes) for each, it in priced)
    telling = (saving for saving in found if abs(saving.saves_bytes) >= _LEAST_BYTES)
    return tuple(sorted(telling, key=lambda saving: -saving.saves_bytes))


def _all_switches(recipe: Recipe, *, on_card: bool) -> Iterator[Switch]:
    yield from _of_weights(recipe)
    yield from _of_adapter(recipe)
    yield from _of_training(recipe, on_card=on_card)


def _of_weights(recipe: Recipe) -> Iterator[Switch]:
    model = recipe.model
    if model.precision.is_four_bit:
        whole = _SIXTEEN_BIT[model.compute_dtype]
        words = "Weights in 32 bits" if whole is Precision.FP32 else "16-bit weights"
        yield _switch(recipe, "model.precision", whole, words)
        doubled = not model.double_quant
        words = "Scales quantised too" if doubled else "Scales left in FP32"
        yield _switch(recipe, "model.double_quant", doubled, words)
    else:
        yield _switch(recipe, "model.precision", Precision.NF4, "4-bit weights")
    if model.attention is Attention.EAGER:
        words = "Fused attention"
        yield _switch(recipe, "model.attention", Attention.SDPA, words)


def _of_adapter(recipe: Recipe) -> Iterator[Switch]:
    lora = recipe.lora
    is_wide = lora.adapter_dtype is AdapterDtype.FP32
    other = AdapterDtype.BF16 if is_wide else AdapterDtype.FP32
    words = f"Adapter in {other.value.upper()}"
    yield _switch(recipe, "lora.adapter_dtype", other, words)
    if (rank := lora.rank // 2) >= _LEAST_RANK:
        yield _switch(recipe, "lora.rank", rank, f"Rank {rank}")
    if lora.train_embeddings:
        words = "Embeddings and head left as they are"
        yield _switch(recipe, "lora.train_embeddings", False, words)
    if lora.train_norms:
        yield _switch(recipe, "lora.train_norms", False, "Norms left as they are")
    if narrow := IN_EIGHT_BITS.get(recipe.train.optimizer):
        yield _switch(recipe, "train.optimizer", narrow, "8-bit optimizer states")
    elif wide := _IN_FULL.get(recipe.train.optimizer):
        yield _switch(recipe, "train.optimizer", wide, "Optimizer states in full")
    if recipe.trains_all and recipe.train.optimizer in ADAMWS:
        words = "Adafactor, with next to no states"
        yield _switch(recipe, "train.optimizer", Optimizer.ADAFACTOR, words)
    if recipe.train.optimizer is Optimizer.ADAMW_FOREACH:
        words = "Fused optimizer step"
        yield _switch(recipe, "train.optimizer", Optimizer.ADAMW_FUSED, words)


def _of_training(recipe: Recipe, *, on_card: bool) -> Iterator[Switch]:
    train = recipe.train
    words = "Remember instead of recomputing"
    if not train.checkpointing:
        words = "Recompute instead of remembering"
    yield _switch(recipe, "train.checkpointing", not train.checkpointing, words)
    if on_card:
        words = "Remember on the card" if train.offload else "Remember in main memory"
        yield _switch(recipe, "train.offload", not train.offload, words)
    if train.micro_batch > 1:
        # The batch of a step stays, so that nothing but the memory changes.
        alone = _switch(recipe, "train.micro_batch", 1, "One row at a time")
        times = min(recipe.effective_batch(), _most("train.accumulation"))
        kept = alone.recipe.with_value("train.accumulation", times)
        yield Switch(alone.key, alone.value, alone.words, kept)
    if train.packing:
        yield _switch(recipe, "train.packing", False, "Rows without packing")
    if (length := train.sequence_length // 2) >= _LEAST_LENGTH:
        words = f"Rows of {length:,} tokens at most"
        yield _switch(recipe, "train.sequence_length", length, words)


def _most(key: str) -> int:
    return int(option_for(key).high or 1)


def _switch(recipe: Recipe, key: str, value: Value, words: str) -> Switch:
    return Switch(key, value, words, recipe.with_value(key, value))
