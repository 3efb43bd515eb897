"""A set of 64-bit numbers that takes some 16 to 32 bytes for each."""

from array import array

_FIRST = 1 << 10
_FULLEST = 0.6


class HashSet:
    """Remembers hashes, in place of the texts that they are of.

    An open-addressed table in one array: Python's own set of a million numbers takes
    three times the memory.
    """

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * _FIRST))
        self._count = 0

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
