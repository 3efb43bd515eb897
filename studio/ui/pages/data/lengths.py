"""The lengths of a file's rows in words and bars, and what a sequence length does."""

import math
from dataclasses import dataclass
from typing import Final

from studio.domain.dataset import ChatFile
from studio.domain.memory.estimate import MemoryEstimate
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
_ALL: Final = 0.9995  # rounds to a hundred percent though some rows are cut


@dataclass(frozen=True, slots=True)
class Price:
    """What a recipe takes of this machine, as far as it can be said.

    Attributes:
        peak: By formula; None without a model or a reading.
        total: Of the whole run, by the card's data sheet.
    """

    peak: MemoryEstimate | None = None
    total: Seconds | None = None


@dataclass(frozen=True, slots=True)
class LengthWords:
    """What stands round the bars.

    Attributes:
        headline: The length and what stays whole; ``**`` round the figure.
        unit: What is counted, beside the title.
        rows_cut: How many rows are longer.
        cut: That in words, at the line.
        below: Padding, memory and time.
    """

    headline: str
    unit: str
    rows_cut: int
    cut: str
    below: str


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
    parts = [_padding(recipe, lengths), *_price(now, then)]
    return LengthWords(
        headline=f"Sequence **{length:,}**: {_whole(cut, lengths.rows)}",
        unit="in tokens" if lengths.counted else "in tokens, estimated",
        rows_cut=cut,
        cut=_cut(cut),
        below=" · ".join(part for part in parts if part),
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


def _padding(recipe: Recipe, lengths: TokenLengths) -> str:
    """What is computed for nothing, and what packing does or would do about it."""
    if not lengths.rows:
        return ""
    together = rows_in_a_pack(lengths, recipe.train.sequence_length)
    if recipe.train.packing:
        return f"Packed: {_times(together)} rows in one"
    rows = recipe.train.micro_batch
    share = padding_share(recipe, lengths)
    said = f"Padding up to {share * 100:.0f} % at {rows} rows at a time"
    if rows == 1:
        said = "No padding at one row at a time"
    if together < _WORTH_PACKING:
        return said
    return f"{said}; packing would put {_times(together)} rows in one"


def _times(rows: float) -> str:
    return f"{rows:.0f}" if rows >= _TEN else f"{rows:.1f}"


def _price(now: Price, then: Price) -> list[str]:
    said = []
    if then.peak is not None:
        memory = f"peak about {gib(then.peak.peak_bytes)} GiB"
        if now.peak is not None and now.peak.peak_bytes != then.peak.peak_bytes:
            memory = f"{memory}, now {gib(now.peak.peak_bytes)}"
        said.append(memory)
    if then.total is not None:
        said.append(duration_range(then.total.low, then.total.high))
    return said
