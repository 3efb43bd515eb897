"""The lengths of a file's rows in words and bars, and what a sequence length does."""

import math
from dataclasses import dataclass
from typing import Final

from studio.domain.dataset import ChatFile
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.method_options import Method
from studio.domain.packing import rows_in_a_pack
from studio.domain.recipe import Recipe
from studio.domain.recommend.duration import Seconds, padded_length
from studio.domain.time_words import duration_range
from studio.domain.token_lengths import TokenLengths
from studio.services.pricing import lengths_of
from studio.ui.charts.length_state import LengthBars, bars_of
from studio.ui.text import count, gib

SEQUENCE: Final = "train.sequence_length"
_ENOUGH_ROWS: Final = 1000  # of a long file every so manieth row tells the mean
_WORTH_PACKING: Final = 1.3  # rows in one
_TEN: Final = 10
_UNKNOWN: Final = "not known yet"
_ALL: Final = 0.9995  # rounds to a hundred percent though some rows are cut


@dataclass(frozen=True, slots=True)
class Price:
    """What a recipe takes of this machine, as far as it can be said.

    Attributes:
        peak: By formula; None without a model or a reading.
        total: Of the whole run, by the card's data sheet.
        free_bytes: What is free for it now.
        fits: Whether that is enough; True where it can't be said.
    """

    peak: MemoryEstimate | None = None
    total: Seconds | None = None
    free_bytes: int = 0
    fits: bool = True


@dataclass(frozen=True, slots=True)
class LengthFact:
    """One thing that follows from the sequence length.

    Attributes:
        title: What it is.
        value: How much, with its unit; what isn't known says so.
        help: How it comes about.
        is_bad: Whether it can't be so.
    """

    title: str
    value: str
    help: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class LengthWords:
    """What stands round the bars.

    Attributes:
        headline: The length and what stays whole; ``**`` round the figure.
        unit: What is counted, beside the title.
        rows_cut: How many rows are longer.
        cut: That in words, at the line.
        facts: Padding, packing, memory and time, always in this order.
    """

    headline: str
    unit: str
    rows_cut: int
    cut: str
    facts: tuple[LengthFact, ...]


def length_bars(file: ChatFile) -> LengthBars:
    """The bars of a file's rows."""
    return bars_of(lengths_of(file))


def length_words(
    file: ChatFile, recipe: Recipe, now: Price, then: Price
) -> LengthWords:
    """Say what a sequence length does to a file's rows.

    Args:
        file: The rows.
        recipe: With the length that is spoken of.
        now: The price of the project's recipe.
        then: The price of `recipe`; the same while nothing is dragged.
    """
    lengths, length = lengths_of(file), recipe.train.sequence_length
    cut = lengths.longer_than(length)
    return LengthWords(
        headline=f"Sequence **{length:,}**: {_whole(cut, lengths.rows)}",
        unit="in tokens" if lengths.counted else "in tokens, estimated",
        rows_cut=cut,
        cut=_cut(cut),
        facts=(
            _padding(recipe, lengths),
            _packing(recipe, lengths),
            _memory(now, then),
            _time(then if file.is_whole else Price()),
        ),
    )


def padding_share(recipe: Recipe, lengths: TokenLengths) -> float:
    """The share of what is computed that is padding, rows drawn by chance.

    It is 1 - mean / expected longest of a micro-batch (`padded_length`); rows of like
    length are put together in training, which leaves less of it.
    """
    most = recipe.train.sequence_length
    drawn = lengths.tokens[:: -(-lengths.rows // _ENOUGH_ROWS) or 1]
    if not drawn:
        return 0.0
    mean = sum(min(tokens, most) for tokens in drawn) / len(drawn)
    return max(0.0, 1 - mean / max(1.0, padded_length(recipe, lengths)))


def _whole(cut: int, rows: int) -> str:
    if not cut or not rows:
        return "all rows whole"
    share = 1 - cut / rows
    shown = 100 * min(share, _ALL) if share > _ALL else 100 * share
    return f"{math.floor(shown * 10) / 10:.1f} % whole"


def _cut(cut: int) -> str:
    if not cut:
        return "No row is cut"
    return f"{count(cut, 'row')} {'is' if cut == 1 else 'are'} cut here"


def _padding(recipe: Recipe, lengths: TokenLengths) -> LengthFact:
    """What is computed for nothing."""
    rows = recipe.train.micro_batch
    if recipe.train.packing:
        value, why = "none", "Packed rows stand behind each other without a gap."
    elif rows == 1:
        value, why = "none", "One row at a time needs none."
    else:
        value = f"up to {padding_share(recipe, lengths) * 100:.0f} %"
        why = (
            f"The share of all that is computed, at {rows} rows at a time: the shorter "
            "ones are filled up to the longest. Rows of like length are put together, "
            "which leaves less."
        )
    return LengthFact("Padding wasted", value, why)


def _packing(recipe: Recipe, lengths: TokenLengths) -> LengthFact:
    """What packing does, or would do."""
    together = rows_in_a_pack(lengths, recipe.train.sequence_length)
    if recipe.train.method is not Method.SFT:
        value, why = "not done", "Judged answers are compared whole."
    elif recipe.train.packing:
        value, why = f"{_times(together)} rows in one", "Packing is on."
    elif together < _WORTH_PACKING:
        value, why = "gains little", "Hardly two rows fit into one sequence."
    else:
        value = f"would put {_times(together)} in one"
        why = "Packing is off. The Recipe page switches it on."
    return LengthFact("Packing", value, why)


def _times(rows: float) -> str:
    return f"{rows:.0f}" if rows >= _TEN else f"{rows:.1f}"


def _memory(now: Price, then: Price) -> LengthFact:
    value = _UNKNOWN
    if then.peak is not None and not then.fits:
        value = f"{gib(then.peak.peak_bytes)} of {gib(then.free_bytes)} GiB"
        why = "More than is free now; the Recipe page offers what would be enough."
        return LengthFact("Peak memory: too much", value, why, is_bad=True)
    if then.peak is not None:
        value = f"{gib(then.peak.peak_bytes)} GiB"
        if now.peak is not None and now.peak.peak_bytes != then.peak.peak_bytes:
            value = f"{value}, now {gib(now.peak.peak_bytes)}"
    why = "By formula, of this machine; the Recipe page has the exact figure."
    return LengthFact("Peak memory", value, why)


def _time(then: Price) -> LengthFact:
    value = _UNKNOWN
    if then.total is not None:
        value = duration_range(then.total.low, then.total.high)
    why = (
        "Of the whole run, by the card’s data sheet. Of a card that nobody knows, and "
        "of a processor, the run itself tells it once it has measured its speed."
    )
    return LengthFact("Time to train", value, why)
