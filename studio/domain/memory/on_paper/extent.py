"""How large a batch is, in numbers or in symbols that stand for any.

Which operators a run goes through depends on the size of its batch in a few ways, which
are told apart; how many bytes they allocate depends on it in every way. So a tape is
written down once with symbols, and its bytes are worked out for each batch.

A symbol is a power of 2**64, larger than any count that it is multiplied with. A sum of
such products is one integer, whose digits to that base are the counts: Kronecker's
substitution (von zur Gathen and Gerhard, Modern Computer Algebra, section 8.4).
Operators multiply and divide by counts alone, and so need not know which of both they
are given.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from struct import Struct

# Rows up to which 4-bit weights are multiplied without unpacking them, if the inner
# width is made of whole blocks (bitsandbytes backends/cuda/ops.py).
FUSED_ROWS = 32
HEAD_TILE_ROWS = 4096  # trl kernels/chunked_logprob.py:31
TILES = 32, 64, 128  # rows that attention's kernels take at a time (attention.py)

_DIGIT = 64  # bits
_AMOUNTS = 10 + len(TILES)  # a number by itself, and those of `Extent.amounts`
_DIGITS = Struct(f"<{_AMOUNTS}Q")

Terms = tuple[tuple[int, int], ...]
"""Counts, each with the place of the amount that it is multiplied with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The size of a batch.

    Attributes:
        tokens: Of all rows.
        scored: All but each row's last token.
        chunk: Of those, how many are scored at a time.
        batch: Rows.
        length: Tokens of a row.
        pairs: Pairs of tokens of each row, in all rows.
        square: Pairs of tokens of one row.
        padded: Tokens of all rows, each padded to whole `TILES`.
        several: Whether there are several rows.
        fused: Whether they are few enough for packed weights to stay packed.
        narrow: Windows that hide some tokens of a row from others.
    """

    tokens: int
    scored: int
    chunk: int
    batch: int
    length: int
    pairs: int
    square: int
    padded: tuple[int, ...]
    several: bool
    fused: bool
    narrow: frozenset[int]

    @classmethod
    def of(cls, batch: int, length: int, windows: Iterable[int] = ()) -> "Extent":
        """Of a batch of equal rows, for blocks with such windows; 0 is none."""
        tokens, scored = batch * length, batch * (length - 1)
        return cls(
            tokens=tokens,
            scored=scored,
            chunk=min(scored, HEAD_TILE_ROWS),
            batch=batch,
            length=length,
            pairs=tokens * length,
            square=length * length,
            padded=tuple(batch * (-(-length // tile) * tile) for tile in TILES),
            several=batch > 1,
            fused=tokens <= FUSED_ROWS,
            narrow=frozenset(each for each in windows if 0 < each <= length),
        )

    def padded_to(self, tile: int) -> int:
        """Tokens of all rows, each padded to whole tiles."""
        return self.padded[TILES.index(tile)]

    def outlined(self) -> "Extent":
        """The same in symbols: equal for all batches that are gone through alike."""
        return replace(
            _SYMBOLS, several=self.several, fused=self.fused, narrow=self.narrow
        )

    def amounts(self, rank: int) -> tuple[int, ...]:
        """What symbols stand for, by their place; of adapters of such a rank."""
        inner = self.tokens * rank
        others = self.scored, self.chunk, self.batch, self.length
        whole = self.pairs, self.square, *self.padded
        return 1, self.tokens, rank, inner, *others, *whole


def _symbol(place: int) -> int:
    return 1 << _DIGIT * place


# In the order of `Extent.amounts`. Tokens times rank, the entries of an adapter's inner
# products, are at place 3.
RANK = _symbol(2)
_SYMBOLS = Extent(
    tokens=_symbol(1),
    scored=_symbol(4),
    chunk=_symbol(5),
    batch=_symbol(6),
    length=_symbol(7),
    pairs=_symbol(8),
    square=_symbol(9),
    padded=tuple(_symbol(10 + place) for place in range(len(TILES))),
    several=False,
    fused=False,
    narrow=frozenset(),
)


def terms_of(amount: int) -> Terms:
    """The counts in an amount of symbols, and which each belongs to.

    Raises:
        OverflowError: Symbols were multiplied that have no product here.
    """
    digits = _DIGITS.unpack(amount.to_bytes(_DIGITS.size, "little"))
    return tuple((count, place) for place, count in enumerate(digits) if count)
