"""How long a step takes, roughly, from the card's data sheet.

A step is as slow as the slower of two things. Products of matrices: 2 operations a
weight and token forward, as many for the gradient of the inputs, as many again for a
layer that is recomputed (Kaplan et al. 2020, arXiv 2001.08361, table 1; weights that
are frozen have no gradient of their own), and the scores of attention (Dao 2023, arXiv
2307.08691, section 4.1: half of them where text is causal, and 2.5 times as many
backward). And the starting of kernels: each layer starts dozens of them in each pass,
whatever its size.

How much of a card's rate products reach, and how long a layer's kernels take to start,
are read off the 18 steps of LoRA on one A100 that Qwen's authors published
(github.com/QwenLM/Qwen, README.md, "Profiling of Memory and Speed"); the test holds all
of them within the range. Quantised layers are unpacked in each pass: 0.5 bytes a weight
read and 2 written, by the card's memory bandwidth, and a kernel more. Other cards were
not measured, so this is a rough guide until a run's own steps are timed.
"""

from dataclasses import dataclass
from statistics import fmean

from studio.domain.architecture import ModelArchitecture
from studio.domain.cards import CardFacts
from studio.domain.decoder.block import Block
from studio.domain.method_options import Method
from studio.domain.packing import rows_in_a_pack
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import Attention
from studio.domain.token_lengths import TokenLengths

# Shares of the card's rate that products reach.
_BEST_RATE, _WORST_RATE = 0.55, 0.28
# Seconds for starting the kernels of one layer in one pass.
_BEST_START, _WORST_START = 0.9e-3, 2.0e-3
_UNPACKING = 1.5  # a layer with quantised weights starts half as many kernels more
_UNPACKED_BYTES = 2.5  # of memory traffic a weight
_TERA, _GIGA = 1e12, 1e9
_ATTENTION_BACKWARD = 2.5
# Forward passes beside a step's own: the model before training, and in KTO each
# question with another answer, by both.
_ASIDES = {Method.DPO: 1, Method.KTO: 3}
_ENOUGH_ROWS = 1000  # of a long file every so manieth row tells the mean


@dataclass(frozen=True, slots=True)
class Seconds:
    """A time, between two figures."""

    low: float
    high: float

    def times(self, count: float) -> "Seconds":
        """So many of them."""
        return Seconds(self.low * count, self.high * count)


def step_seconds(
    model: ModelArchitecture, recipe: Recipe, card: CardFacts, lengths: TokenLengths
) -> Seconds | None:
    """The time of one optimizer step.

    Args:
        model: The base model's shape.
        recipe: How it is trained.
        card: What its maker says of it.
        lengths: Of the rows; without rows, all are as long as the recipe allows.

    Returns:
        A range, or None when the card's rate isn't known.
    """
    if not card.tensor_tflops:
        return None
    rows = recipe.train.answers_at_a_time * _rows_held(recipe, lengths)
    operations = rows * operations_of_row(model, recipe, lengths)
    rate = card.tensor_tflops * _TERA
    unpacking = _unpacking_seconds(model, recipe, card)
    passes = _passes(recipe) * model.layers
    starts = _UNPACKING if recipe.model.precision.is_quantized else 1.0
    low = max(operations / (rate * _BEST_RATE), passes * starts * _BEST_START)
    high = max(operations / (rate * _WORST_RATE), passes * starts * _WORST_START)
    micro = Seconds(low + unpacking, high + unpacking)
    return micro.times(recipe.train.accumulation)


def padded_length(recipe: Recipe, lengths: TokenLengths) -> float:
    """Tokens of a row on average, rows of one batch padded to its longest.

    The expected longest of n rows drawn from the data: the k-th shortest of m is it
    with the probability (k / m)^n - ((k - 1) / m)^n. Of packed rows it is what fills a
    pack; where several are together the longest is about full.
    """
    most = recipe.train.sequence_length
    if not lengths.rows:
        return most
    drawn, rows = _drawn(lengths), recipe.train.answers_at_a_time
    if recipe.train.packing:
        fills = _rows_held(recipe, lengths) * fmean(min(n, most) for n in drawn)
        return fills if rows == 1 else most
    count = len(drawn)
    total, before = 0.0, 0.0
    for place, tokens in enumerate(drawn, 1):
        below = (place / count) ** rows
        total += min(tokens, most) * (below - before)
        before = below
    return total


def operations_of_row(
    model: ModelArchitecture, recipe: Recipe, lengths: TokenLengths
) -> float:
    """Floating-point operations for a row of the data, there and back.

    Padding is computed as well; of a pack each row has its share.
    """
    tokens, held = padded_length(recipe, lengths), _rows_held(recipe, lengths)
    pairs = tokens**2
    if recipe.train.packing:
        # A kernel that is given a mask goes over both halves of a causal square;
        # FlashAttention is told where texts begin, and goes over theirs alone.
        pairs *= 2
        if recipe.model.attention is Attention.FLASH and lengths.rows:
            most = recipe.train.sequence_length
            pairs = held * fmean(min(n, most) ** 2 for n in _drawn(lengths))
    return _operations(model, recipe, tokens, pairs) / held


def _rows_held(recipe: Recipe, lengths: TokenLengths) -> float:
    """Rows of the data in one that is trained on."""
    if not recipe.train.packing:
        return 1.0
    return rows_in_a_pack(lengths, recipe.train.sequence_length)


def _drawn(lengths: TokenLengths) -> tuple[int, ...]:
    """Of a long file every so manieth row."""
    return lengths.tokens[:: -(-lengths.rows // _ENOUGH_ROWS)]


def _passes(recipe: Recipe) -> int:
    """Forward, backward, forward again where layers are recomputed, and asides."""
    again = 1 if recipe.train.checkpointing else 0
    return 2 + again + _ASIDES.get(recipe.train.method, 0)


def _operations(
    model: ModelArchitecture, recipe: Recipe, tokens: float, pairs: float
) -> float:
    """Floating-point operations of so many tokens and pairs, there and back."""
    passes = _passes(recipe) + (1 if recipe.trains_all else 0)
    layers = sum(count * _active_weights(block) for block, count in model.decoder.kinds)
    head = model.vocabulary * model.hidden
    products = 2 * tokens * (passes * layers + 2 * head)
    scores = sum(
        count * 2 * block.heads.queries * block.heads.width * pairs
        for block, count in model.decoder.kinds
    )
    forward = _passes(recipe) - 1
    return products + scores * (forward + _ATTENTION_BACKWARD)


def _active_weights(block: Block) -> float:
    """Entries of the matrices that one token meets."""
    linear = sum(each.weights for each in block.linears)
    if block.experts is None:
        return linear
    share = block.experts.chosen / block.experts.count
    return linear + share * sum(block.expert_tensors)


def _unpacking_seconds(
    model: ModelArchitecture, recipe: Recipe, card: CardFacts
) -> float:
    if not recipe.model.precision.is_quantized:
        return 0.0
    traffic = _UNPACKED_BYTES * model.linear_weights * _passes(recipe)
    return traffic / (card.bandwidth_gb_s * _GIGA)
