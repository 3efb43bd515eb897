"""What torch's allocator holds beside live tensors, by its own rules.

The tape of one block of each kind is replayed. What stands from loading on is left
out: weights fill segments of their own. So are small tensors, which share segments of
2 MiB. What remains is the allocator's large pool, on a card without end: the rules are
those of `memory/allocator.py`, written for speed; a test holds the two together.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

from studio.domain.memory.allocator import LARGEST_SMALL, segment_bytes
from studio.domain.memory.on_paper.tape import Tape

_GAP = 1 << 50  # segments never touch
_HIGHEST = 1 << 100  # a new segment lies below those before it, as in the model


def unused_bytes(tape: Tape) -> int:
    """Held at the highest and used by nobody."""
    return unused_by(tape.events, tape.sizes)


def unused_by(events: Iterable[int], sizes: Sequence[int]) -> int:
    """The highest reserved bytes less the highest allocated ones.

    Args:
        events: Numbers of tensors as they are allocated; negative for releases.
        sizes: By number; those of small tensors are passed over.
    """
    pool = _LargePool()
    for number in events:
        if number > 0:
            if sizes[number] > LARGEST_SMALL:
                pool.allocate(number, sizes[number])
        elif sizes[-number] > LARGEST_SMALL:
            pool.release(-number)
    return pool.reserved - pool.most


class _LargePool:
    """Free blocks by size and by both ends, so that neighbours find each other."""

    __slots__ = ("_begins", "_ends", "_free", "_held", "_live", "most", "reserved")

    def __init__(self) -> None:
        self.reserved = 0
        self.most = 0
        self._held = 0
        self._free: list[tuple[int, int]] = []  # size, address
        self._begins: dict[int, int] = {}  # of free blocks: address, size
        self._ends: dict[int, int] = {}  # of free blocks: end, address
        self._live: dict[int, tuple[int, int]] = {}  # address, size

    def allocate(self, number: int, size: int) -> None:
        """The smallest block that is large enough, or a new segment."""
        free = self._free
        at = bisect_left(free, (size, 0))
        if at < len(free):
            found, address = free.pop(at)
            del self._begins[address], self._ends[address + found]
        else:
            found = segment_bytes(size)
            self.reserved += found
            address = _HIGHEST - self.reserved * _GAP
        if found - size > LARGEST_SMALL:
            self._put(address + size, found - size)
        else:
            size = found
        self._live[number] = address, size
        self._held += size
        self.most = max(self.most, self._held)

    def release(self, number: int) -> None:
        """Join a block with its free neighbours."""
        address, size = self._live.pop(number)
        self._held -= size
        behind = self._begins.get(address + size)
        if behind is not None:
            self._take(address + size, behind)
            size += behind
        before = self._ends.get(address)
        if before is not None:
            self._take(before, address - before)
            address, size = before, size + address - before
        self._put(address, size)

    def _put(self, address: int, size: int) -> None:
        self._begins[address] = size
        self._ends[address + size] = address
        insort(self._free, (size, address))

    def _take(self, address: int, size: int) -> None:
        del self._begins[address], self._ends[address + size]
        del self._free[bisect_left(self._free, (size, address))]
