"""Texts that are nearly the same, found in one pass over any number of them.

How it is judged: a text is the set of its sequences of three words (of five characters
where words aren't parted by spaces), without capitals and punctuation. Two texts are
nearly the same when both sets together have about 85 % in common (Jaccard index). It
is estimated from each set's 16 smallest hashes (bottom-k sketch, Cohen and Kaplan,
2007, doi:10.1145/1281100.1281133); texts that share one of their four smallest are
compared, the first with such a hash standing for all (banding of MinHash, Broder,
1997, doi:10.1109/SEQUEN.1997.666900).

Sequences that most of the first texts have, such as those of an instruction that is
the same in every row, are not counted. Python's hash of a tuple of numbers is the same
in every process, other than that of a text.
"""

import string
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar
from zlib import crc32

from studio.domain.data_checks.hash_set import FirstRows

Name = TypeVar("Name")

_KEPT: Final = 16
_KEYS: Final = 4
_ALIKE: Final = 0.85
_FEWEST: Final = 4  # sequences; shorter texts have too little to be compared by
_SAMPLE: Final = 256
_SMALLEST_SAMPLE: Final = 20
_LONG_WORDS: Final = 16  # characters; more on average, and spaces don't part words
_BITS: Final = 0xFFFF_FFFF
_NONE: Final = _BITS
_PUNCTUATION: Final = bytes.maketrans(
    string.punctuation.encode(), b" " * len(string.punctuation)
)


class NearCopies(Generic[Name]):
    """Finds texts that an earlier text nearly says already.

    Texts that are found are not compared with later ones, so that once they are left
    out nothing is found among the others.
    """

    def __init__(self, tell: Callable[[Name], None]) -> None:
        """Take whom to tell the name of each text that is found."""
        self._tell = tell
        self._held: list[tuple[Name, set[int]]] = []
        self._common: set[int] | None = None
        self._first = FirstRows()
        self._sketches = array("I")

    def take(self, name: Name, text: str) -> None:
        """Compare a text with all before; the first ones wait for each other."""
        sequences = sequences_of(text)
        if self._common is not None:
            self._judge(name, sequences - self._common if self._common else sequences)
            return
        self._held.append((name, sequences))
        if len(self._held) == _SAMPLE:
            self.finish()

    def finish(self) -> None:
        """Judge the texts that still wait."""
        if self._common is None:
            self._common = _common([sequences for _, sequences in self._held])
            for name, sequences in self._held:
                self._judge(name, sequences - self._common)
            self._held.clear()

    def _judge(self, name: Name, sequences: set[int]) -> None:
        if len(sequences) < _FEWEST:
            return
        sketch = [each >> 32 & _BITS or 1 for each in sorted(sequences)[:_KEPT]]
        keys = sketch[:_KEYS]
        seen = self._first.rows_of(keys)
        if seen and any(_alike(sketch, self._sketch(row)) for row in seen):
            self._tell(name)
            return
        row = len(self._sketches) // _KEPT
        self._sketches.extend(sketch)
        self._sketches.extend([_NONE] * (_KEPT - len(sketch)))
        self._first.add(keys, row)

    def _sketch(self, row: int) -> Sequence[int]:
        return self._sketches[row * _KEPT : (row + 1) * _KEPT]


def sequences_of(text: str) -> set[int]:
    """Hashes of a text's sequences."""
    text = text.casefold()
    raw = text.encode("utf-8", "surrogatepass")
    words = raw.translate(_PUNCTUATION).split()
    if len(text) > _LONG_WORDS * (len(words) + 1):
        letters = memoryview(text.encode("utf-32-le", "surrogatepass")).cast("I")
        shifted = [letters[start:] for start in range(5)]
        return set(map(hash, zip(*shifted, strict=False)))
    numbers = list(map(crc32, words))
    return set(map(hash, zip(numbers, numbers[1:], numbers[2:], strict=False)))


def _common(texts: Sequence[set[int]]) -> set[int]:
    """The sequences that more than half of the texts have."""
    if len(texts) < _SMALLEST_SAMPLE:
        return set()
    counts = Counter(sequence for text in texts for sequence in text)
    return {each for each, count in counts.items() if 2 * count > len(texts)}


def _alike(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether the sets of two sketches have enough in common, as far as they show."""
    first, second = set(one) - {_NONE}, set(other) - {_NONE}
    both = sorted(first | second)[:_KEPT]
    shared = sum(each in first and each in second for each in both)
    return shared >= _ALIKE * len(both)
