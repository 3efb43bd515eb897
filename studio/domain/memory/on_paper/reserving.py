"""The allocator's large pool on a card without end, written for speed.

The rules are those of `memory/allocator.py`, which names their sources; a test holds
the two together. Of many equal tensors, one for each block of a model, a few are
placed one by one; the rest fill free blocks, and then segments, to the last. Tensors of
up to 1 MiB have a pool of their own, where they find room between others: their bytes
are counted alone.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.domain.memory.allocator import (
    LARGEST_SMALL,
    LEAST_OWN_SEGMENT,
    SMALL_SEGMENT,
    rounded,
    segment_bytes,
)

ONE_BY_ONE = 2  # of many equal tensors, how many are placed as single ones
_GAP = 1 << 44  # segments never touch

# Size, address, the neighbours before and behind, whether it is free: a list, which is
# made and read in half the time of an object.
Block = list[Any]
# Of large tensors their blocks, of small ones their bytes.
Places = Block | tuple[Block, ...] | int
Live = dict[int, Any]
_SMALL = 0  # where bytes of small tensors stand in it; no tensor has that number


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a tape, read once and replayed as often as it comes again.

    Attributes:
        sizes: By number of tensor, whole blocks.
        counts: Of numbers that stand for several equal tensors.
        large: Numbers of large tensors as they are allocated; negative for releases.
        most: Bytes of small tensors at the highest, beside those before it.
        left: Those that still stand behind it.
    """

    sizes: Sequence[int]
    counts: Mapping[int, int]
    large: Sequence[int]
    most: int
    left: int


class Pools:
    """What the allocator holds, by large and small tensors."""

    def __init__(self) -> None:
        self._large = _Pool()
        self._filled = 0
        self._before = 0  # what was held when the cache was emptied
        self._small = 0  # bytes of small tensors
        self._small_most = 0

    @property
    def reserved(self) -> int:
        """Bytes held at the highest."""
        small = -(-self._small_most // SMALL_SEGMENT) * SMALL_SEGMENT
        return max(self._large.reserved + self._filled + small, self._before)

    def replay(self, part: Part, live: Live | None = None) -> Live:
        """Serve a part of a tape.

        Args:
            part: What is allocated and released.
            live: What stands of earlier parts of the same tape.

        Returns:
            What still stands: large tensors by number, and bytes of small ones.
        """
        live = {} if live is None else live
        self._small_most = max(self._small_most, self._small + part.most)
        self._small += part.left
        if standing := live.pop(_SMALL, 0) + part.left:
            live[_SMALL] = standing
        self._large.serve(part, live)
        return live

    def stand(self, size: int, count: int = 1) -> Places:
        """Allocate `count` equal tensors of `size` bytes."""
        if not size or not count:
            return 0
        size = rounded(size)
        if size > LARGEST_SMALL:
            large = self._large
            return large.take(size) if count == 1 else large.stand(size, count)
        self._small += size * count
        self._small_most = max(self._small_most, self._small)
        return size * count

    def fill(self, size: int) -> None:
        """Count what fills segments of its own to the last byte."""
        self._filled += size

    def end(self, places: Places) -> None:
        """Release what `stand` or `replay` left."""
        if isinstance(places, list):
            self._large.give(places)
        elif isinstance(places, int):
            self._small -= places
        else:
            self._large.end(places)

    def copied(self, live: Live | None = None) -> "tuple[Pools, Live]":
        """The same, to go on from, and what of it can be ended there.

        Args:
            live: What stands and may end in the copy; the rest stands for good.
        """
        made = Pools()
        made._large, images = self._large.copied(live or {})
        made._filled, made._before = self._filled, self._before
        made._small, made._small_most = self._small, self._small_most
        return made, images

    def empty(self) -> None:
        """Give back what is wholly free."""
        self._before = self.reserved
        self._large.empty()


class _Pool:
    """Blocks of segments, each with its neighbours; free ones by size, then address.

    Attributes:
        reserved: Bytes of its segments.
        take: The smallest block that is large enough, or one of a new segment.
        give: Joins a block with its free neighbours.
    """

    __slots__ = ("_blocks", "_segments", "_sizes", "give", "reserved", "take")

    def __init__(self) -> None:
        self.reserved = 0
        self._segments = 0
        self._sizes: list[int] = []  # of free blocks
        self._blocks: list[Block] = []
        self.take = self._taking()
        self.give = self._giving()

    def serve(self, part: Part, live: Live) -> None:
        """Take and give back as a tape has it."""
        take, give = self.take, self.give
        sizes, counts = part.sizes, part.counts
        for number in part.large:
            if number < 0:
                places = live.pop(-number)
                if places.__class__ is list:
                    give(places)
                else:
                    self.end(places)
            elif number in counts:
                count = counts[number]
                live[number] = self.stand(sizes[number] // count, count)
            else:
                live[number] = take(sizes[number])

    def _taking(self) -> Callable[[int], Block]:
        sizes, blocks, insert = self._sizes, self._blocks, self._insert

        def take(size: int) -> Block:
            at = bisect_left(sizes, size)
            if at == len(sizes):
                return self._grown(size)
            block = blocks[at]
            rest = sizes[at] - size
            if rest <= LARGEST_SMALL:
                block[4] = False
                del sizes[at], blocks[at]
                return block
            address, before = block[1], block[2]
            block[0], block[1] = rest, address + size
            block[2] = taken = [size, address, before, block, False]
            if before is not None:
                before[3] = taken
            sizes[at] = rest
            if at and sizes[at - 1] >= rest:
                insert(sizes.pop(at), blocks.pop(at))
            return taken

        return take

    def _giving(self) -> Callable[[Block], None]:
        sizes, blocks = self._sizes, self._blocks

        def give(block: Block) -> None:
            size, address, before, behind, _ = block
            if behind is not None and behind[4]:
                at = bisect_left(sizes, behind[0])
                while blocks[at] is not behind:
                    at += 1
                size += sizes.pop(at)
                del blocks[at]
                block[3] = behind = behind[3]
                if behind is not None:
                    behind[2] = block
            if before is not None and before[4]:
                at = bisect_left(sizes, before[0])
                while blocks[at] is not before:
                    at += 1
                size += sizes.pop(at)
                del blocks[at]
                before[3] = behind
                if behind is not None:
                    behind[2] = before
                block, address = before, before[1]
            else:
                block[4] = True
            block[0] = size
            at = bisect_left(sizes, size)
            while at < len(sizes) and sizes[at] == size and blocks[at][1] < address:
                at += 1
            sizes.insert(at, size)
            blocks.insert(at, block)

        return give

    def _insert(self, size: int, block: Block) -> None:
        """Put a free block where it belongs; `give` has it written out, for speed."""
        sizes, blocks = self._sizes, self._blocks
        at = bisect_left(sizes, size)
        while at < len(sizes) and sizes[at] == size and blocks[at][1] < block[1]:
            at += 1
        sizes.insert(at, size)
        blocks.insert(at, block)

    def _grown(self, size: int) -> Block:
        """A new segment, which lies below those before it, as in the model."""
        found = segment_bytes(size)
        self.reserved += found
        self._segments += 1
        address = -self._segments * _GAP
        rest = found - size
        if rest <= LARGEST_SMALL:
            return [found, address, None, None, False]
        taken: Block = [size, address, None, None, False]
        taken[3] = left = [rest, address + size, taken, None, True]
        self._insert(rest, left)
        return taken

    def stand(self, size: int, count: int) -> tuple[Block, ...]:
        """Many equal tensors: a few one by one, the rest together."""
        few = min(count, ONE_BY_ONE)
        return (
            *(self.take(size) for _ in range(few)),
            *self._taken_run(size, count - few),
        )

    def _taken_run(self, size: int, count: int) -> list[Block]:
        """Many equal tensors, as many in a free block as it has room for."""
        places: list[Block] = []
        while count:
            at = bisect_left(self._sizes, size)
            if at == len(self._sizes):
                return [*places, self.take(_rooms(size, count))]
            inside = min(count, self._sizes[at] // size)
            places.append(self.take(inside * size))
            count -= inside
        return places

    def end(self, places: Iterable[Block]) -> None:
        """Give back what `stand` took."""
        for block in places:
            self.give(block)

    def copied(self, live: Live) -> "tuple[_Pool, Live]":
        """The same with blocks of its own, and the images of some that stand."""
        made = _Pool()
        made.reserved, made._segments = self.reserved, self._segments
        images: dict[int, Block] = {}
        for block in (*self._blocks, *_blocks_of(live.values())):
            each = block
            while each[2]:
                each = each[2]
            before = None
            while each and id(each) not in images:
                image = images[id(each)] = [each[0], each[1], before, None, each[4]]
                if before is not None:
                    before[3] = image
                before, each = image, each[3]
        made._sizes += self._sizes
        made._blocks += (images[id(block)] for block in self._blocks)
        return made, {number: _image(it, images) for number, it in live.items()}

    def empty(self) -> None:
        """Give back segments that are wholly free."""
        kept = [each for each in self._blocks if each[2] or each[3]]
        sizes = [each[0] for each in kept]
        self.reserved -= sum(self._sizes) - sum(sizes)
        self._blocks[:], self._sizes[:] = kept, sizes


def _blocks_of(places: Iterable[Places]) -> Iterator[Block]:
    for each in places:
        if isinstance(each, list):
            yield each
        elif isinstance(each, tuple):
            yield from each


def _image(places: Places, images: Mapping[int, Block]) -> Places:
    if isinstance(places, list):
        return images[id(places)]
    if isinstance(places, tuple):
        return tuple(images[id(block)] for block in places)
    return places


def _rooms(size: int, count: int) -> int:
    """Bytes of so many tensors; what smaller ones leave of a segment serves others."""
    return count * (size if size < LEAST_OWN_SEGMENT else segment_bytes(size))
