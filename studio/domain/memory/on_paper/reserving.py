"""The allocator's two pools on a card without end, written for speed.

The rules are those of `memory/allocator.py`, which names their sources; a test holds
the two together. Of many equal tensors, one for each block of a model, a few are
placed one by one; the rest fill free blocks, and then segments, to the last. Tiny
tensors are counted alone, for they find room between others.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence

from studio.domain.memory.allocator import (
    LARGEST_SMALL,
    LEAST_OWN_SEGMENT,
    SMALL_SEGMENT,
    SMALLEST_BLOCK,
    rounded,
    segment_bytes,
)

ONE_BY_ONE = 2  # of many equal tensors, how many are placed as single ones
LEAST_PLACED = 64 << 10  # smaller tensors find room between others
_GAP = 1 << 44  # segments never touch
_HIGHEST = 1 << 62  # a new segment lies below those before it, as in the model

Place = tuple[int, int]  # size, address
# Of a large tensor the address alone, of tiny ones their bytes below zero.
Places = list[Place] | int
Live = dict[int, Places]


class Pools:
    """What the allocator holds, by large and small tensors."""

    def __init__(self) -> None:
        self._large = _Pool(LARGEST_SMALL + 1)
        self._small = _Pool(SMALLEST_BLOCK)
        self._filled = 0
        self._before = 0  # what was held when the cache was emptied
        self._tiny = 0  # bytes of tensors that are counted alone
        self._tiny_most = 0

    @property
    def reserved(self) -> int:
        """Bytes held at the highest."""
        tiny = -(-self._tiny_most // SMALL_SEGMENT) * SMALL_SEGMENT
        now = self._large.reserved + self._small.reserved + self._filled + tiny
        return max(now, self._before)

    def replay(
        self,
        events: Iterable[int],
        sizes: Sequence[int],
        counts: Mapping[int, int],
        live: Live | None = None,
    ) -> Live:
        """Serve a tape.

        Args:
            events: Numbers of tensors as they are allocated; negative for releases.
            sizes: By number, whole blocks.
            counts: Of numbers that stand for several equal tensors.
            live: What stands of an earlier part of the same tape.

        Returns:
            What still stands.
        """
        live = {} if live is None else live
        take, give = self._large.take, self._large.give
        for number in events:
            if number < 0:
                places = live.pop(-number)
                if not isinstance(places, int):
                    self.end(places)
                elif places > 0:
                    give(places)
                else:
                    self._tiny += places
                continue
            size = sizes[number]
            if number in counts:
                count = counts[number]
                live[number] = self.stand(size // count, count)
            elif size > LARGEST_SMALL:
                live[number] = take(size)
            elif size > LEAST_PLACED:
                live[number] = self.stand(size)
            else:
                live[number] = -size
                self._tiny += size
                self._tiny_most = max(self._tiny_most, self._tiny)
        return live

    def stand(self, size: int, count: int = 1) -> Places:
        """Allocate `count` equal tensors of `size` bytes."""
        if not size or not count:
            return 0
        size = rounded(size)
        if size <= LEAST_PLACED or (size <= LARGEST_SMALL and count > 1):
            self._tiny += size * count
            self._tiny_most = max(self._tiny_most, self._tiny)
            return -size * count
        if size <= LARGEST_SMALL:
            return [(size, self._small.take(size))]
        take = self._large.take
        if count == 1:
            return take(size)
        places = [(size, take(size)) for _ in range(min(count, ONE_BY_ONE))]
        return places + self._large.take_run(size, count - len(places))

    def fill(self, size: int) -> None:
        """Count what fills segments of its own to the last byte."""
        self._filled += size

    def end(self, places: Places) -> None:
        """Release what `stand` or `replay` left."""
        if isinstance(places, int):
            if places > 0:
                self._large.give(places)
            else:
                self._tiny += places
            return
        for size, address in places:
            (self._large if size > LARGEST_SMALL else self._small).give(address)

    def empty(self) -> None:
        """Give back what is wholly free."""
        self._before = self.reserved
        self._large.empty()
        self._small.empty()


class _Pool:
    """Free blocks by size and by both ends, so that neighbours find each other.

    Attributes:
        reserved: Bytes of its segments.
    """

    __slots__ = (
        *("_begins", "_ends", "_free", "_least", "_live", "_segments"),
        "reserved",
    )

    def __init__(self, least: int) -> None:
        """Begin with nothing.

        Args:
            least: Bytes of a rest that is split off.
        """
        self.reserved = 0
        self._least = least
        self._segments: dict[int, int] = {}  # address, size
        self._free: list[tuple[int, int]] = []  # size, address
        self._begins: dict[int, int] = {}  # of free blocks: address, size
        self._ends: dict[int, int] = {}  # of free blocks: end, address
        self._live: dict[int, int] = {}  # address, size

    def take(self, size: int) -> int:
        """The smallest block that is large enough, or a new segment: its address."""
        free = self._free
        at = bisect_left(free, (size, 0))
        if at < len(free):
            found, address = free.pop(at)
            del self._begins[address], self._ends[address + found]
        else:
            found = segment_bytes(size)
            self.reserved += found
            address = _HIGHEST - (len(self._segments) + 1) * _GAP
            self._segments[address] = found
        rest = found - size
        if rest >= self._least:
            begin = address + size
            self._begins[begin] = rest
            self._ends[address + found] = begin
            insort(free, (rest, begin))
            found = size
        self._live[address] = found
        return address

    def take_run(self, size: int, count: int) -> list[Place]:
        """Many equal tensors, as many in a free block as it has room for."""
        places: list[Place] = []
        while count:
            at = bisect_left(self._free, (size, 0))
            if at == len(self._free):
                whole = _rooms(size, count)
                return [*places, (whole, self.take(whole))]
            inside = min(count, self._free[at][0] // size)
            places.append((inside * size, self.take(inside * size)))
            count -= inside
        return places

    def give(self, address: int) -> None:
        """Join a block with its free neighbours."""
        free, begins, ends = self._free, self._begins, self._ends
        size = self._live.pop(address)
        end = address + size
        behind = begins.pop(end, 0)
        if behind:
            del free[bisect_left(free, (behind, end))]
            end += behind
        before = ends.pop(address, 0)
        if before:
            del free[bisect_left(free, (address - before, before))]
            address = before
        size = end - address
        begins[address] = size
        ends[end] = address
        insort(free, (size, address))

    def empty(self) -> None:
        """Give back segments that are wholly free."""
        for size, address in tuple(self._free):
            if self._segments.get(address) == size:
                self._free.remove((size, address))
                del self._begins[address], self._ends[address + size]
                self._segments[address] = 0  # its address isn't used again
                self.reserved -= size


def _rooms(size: int, count: int) -> int:
    """Bytes of so many tensors; what smaller ones leave of a segment serves others."""
    return count * (size if size < LEAST_OWN_SEGMENT else segment_bytes(size))
