"""A set of 64-bit numbers that takes some 16 to 32 bytes for each."""

from array import array
from collections.abc import Iterable, Sequence

_FIRST = 1 << 10
_FULLEST = 0.6
# The smallest hashes of texts are alike in their upper bits, so all bits are mixed.
_SPREAD = 0x9E37_79B1
_SHIFT = 7


class HashSet:
    """Remembers hashes, in place of the texts that they are of.

    An open-addressed table in one array: Python's own set of a million numbers takes
    three times the memory.
    """

    def __init__(self, keys: Iterable[int] = ()) -> None:
        """Take hashes to begin with."""
        self._slots = array("Q", bytes(8 * _FIRST))
        self._count = 0
        for key in keys:
            self.add(key)

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: int) -> bool:
        key = key or 1
        return self._slots[self._place(self._slots, key)] == key

    def add(self, key: int) -> bool:
        """Remember a hash.

        Returns:
            Whether it is new.
        """
        key = key or 1  # 0 is an empty slot
        place = self._place(self._slots, key)
        if self._slots[place] == key:
            return False
        self._slots[place] = key
        self._count += 1
        if self._count > _FULLEST * len(self._slots):
            self._grow()
        return True

    @staticmethod
    def _place(slots: "array[int]", key: int) -> int:
        """The slot of a hash, or the empty one that it would take."""
        mask = len(slots) - 1
        place = key & mask
        while slots[place] and slots[place] != key:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        slots = array("Q", bytes(16 * len(self._slots)))
        for key in self._slots:
            if key:
                slots[self._place(slots, key)] = key
        self._slots = slots


class FirstRows:
    """Remembers the first row of each 32-bit key, in 13 to 27 bytes a key."""

    def __init__(self) -> None:
        self._keys = array("I", bytes(4 * _FIRST))
        self._rows = array("I", bytes(4 * _FIRST))
        self._count = 0

    def rows_of(self, keys: Sequence[int]) -> set[int]:
        """The rows that some keys were added with first."""
        slots, rows, mask = self._keys, self._rows, len(self._keys) - 1
        found = set()
        for key in keys:
            place = key * _SPREAD >> _SHIFT & mask
            while (held := slots[place]) and held != key:
                place = (place + 1) & mask
            if held:
                found.add(rows[place])
        return found

    def add(self, keys: Sequence[int], row: int) -> None:
        """Remember the row of some keys, save those that have one.

        Args:
            keys: Of 32 bits, none of them 0.
            row: Their row.
        """
        for key in keys:
            place = self._place(self._keys, key)
            if not self._keys[place]:
                self._keys[place], self._rows[place] = key, row
                self._count += 1
        if self._count > _FULLEST * len(self._keys):
            self._grow()

    @staticmethod
    def _place(keys: "array[int]", key: int) -> int:
        mask = len(keys) - 1
        place = key * _SPREAD >> _SHIFT & mask
        while keys[place] and keys[place] != key:
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        size = 2 * len(self._keys)
        keys, rows = array("I", bytes(4 * size)), array("I", bytes(4 * size))
        for key, row in zip(self._keys, self._rows, strict=True):
            if key:
                place = self._place(keys, key)
                keys[place], rows[place] = key, row
        self._keys, self._rows = keys, rows
