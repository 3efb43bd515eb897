"""Of many equal blocks the first and the last are written down, the others counted.

One block is gone through, as the last of them. What it wrote is written once more for
the first, around which memory lies otherwise; those between leave what it leaves, as
often as they are there. Backward, the last comes first.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from operator import neg

from studio.domain.memory.on_paper.tape import Node, Tape
from studio.domain.memory.on_paper.tensors import Storage, Tensor
from studio.domain.memory.part_names import GRADIENTS

_WRITTEN = 2  # blocks of a kind, the first and the last


@dataclass(slots=True)
class Stream:
    """The residual stream; nobody else holds on to it between two blocks."""

    x: Tensor


@dataclass(frozen=True, slots=True)
class Kind:
    """Equal blocks.

    Attributes:
        count: How many.
        gradients: Bytes of each that a block keeps.
        drops: Whether a block leaves nothing but its output, computing anew what it
            needs.
    """

    count: int
    gradients: Sequence[int] = ()
    drops: bool = False


class _First:
    """The first block, of which the last is the image.

    Attributes:
        kind: Of both.
        entry: What goes into the last one: storage.
        held: What goes into the first one, until it lets that go.
        numbers: Its storages by those of the last one.
        between: Storages that the others left.
        start: Where the last one's backward pass begins.
        grad: The gradient's storage there.
    """

    __slots__ = ("between", "entry", "grad", "held", "kind", "numbers", "start")

    def __init__(self, kind: Kind, entry: int, held: object) -> None:
        self.kind = kind
        self.entry = entry
        self.held = held
        self.numbers: dict[int, int] = {}
        self.between: list[int] = []
        self.start = 0
        self.grad = 0


def often(
    tape: Tape, stream: Stream, kind: Kind, block: Callable[[Tensor], Tensor]
) -> None:
    """Let the stream go through equal blocks.

    Args:
        tape: Where they are written down.
        stream: What goes into the first, and then what the last one makes.
        kind: Of blocks.
        block: Goes through one.
    """
    if kind.count == 1:
        stream.x = block(stream.x)
        return
    at, place, x = len(tape.events), len(tape.nodes), stream.x
    storage = tape.storage(x.count * x.width)
    entry = Node(_passed_back, (x.node,))
    through = entry if tape.learns else None
    stream.x = Tensor(storage, x.count, x.width, through)
    first = _First(kind, storage.number, x.storage)
    del storage, x
    stream.x = block(stream.x)
    _write_first(tape, at, first, stream.x)
    if tape.learns:
        entry.backward = partial(_first_back, first)
        tape.nodes.insert(place, entry)
        stream.x.node = Node(partial(_last_back, first), (stream.x.node,))
        tape.nodes.append(stream.x.node)


def _write_first(tape: Tape, at: int, first: _First, left: Tensor) -> None:
    """Write the first block down before the last, and what those between leave."""
    last, out = tape.events[at + 1 :], _number(left)
    numbers = first.numbers
    _double(tape, last, numbers)
    numbers[out], numbers[-out] = first.entry, -first.entry
    ending = {_number(each): tape.with_graph for each in tape.lasting}
    for each in (*tape.casts, *(tape.cached or ())):
        ending[_number(each)] = tape.with_forward
    for number in ending.keys() & numbers.keys():
        tape.images[number] = numbers[number]
    if tape.learns and not first.kind.drops:
        ending = {_number(each): tape.with_graph for each in tape.lasting}
    others = _between(tape, last, first, ending)
    found = [numbers.get(number, 0) for number in last]
    if -first.entry in last:
        place = last.index(-first.entry)
        found[place : place + 1] = _let_go(tape, first)
    place = last.index(out) if first.kind.drops else len(found)
    found[place:place] = first.between
    tape.events[at:] = found + others + last
    if tape.first_forward > at:
        tape.first_forward -= 1


def _double(tape: Tape, events: Iterable[int], numbers: dict[int, int]) -> None:
    """Let there be each allocated storage once more, and say how events change."""
    sizes, names = tape.sizes, tape.names
    made = [number for number in events if number > 0]
    more = range(len(sizes), len(sizes) + len(made))
    numbers.update(zip(made, more, strict=True))
    numbers.update(zip(map(neg, made), map(neg, more), strict=True))
    sizes += [sizes[number] for number in made]
    names += [names[number] for number in made]


def _between(
    tape: Tape, last: list[int], first: _First, ending: dict[int, list[int]]
) -> list[int]:
    """Note what the blocks between leave until their backward pass.

    Returns:
        What they leave until the forward pass or the graph ends.
    """
    count = first.kind.count - _WRITTEN
    others: list[int] = []
    for number in _left(tape, last) if count else ():
        made = len(tape.sizes)
        tape.counts[made] = count
        tape.sizes.append(tape.sizes[number])
        tape.names.append(tape.names[number])
        if number in ending:
            others.append(made)
            ending[number].append(made)
        else:
            first.between.append(made)
    return others


def _left(tape: Tape, events: list[int]) -> list[int]:
    """What was allocated and stands, less what it took the place of."""
    left: dict[int, None] = {}
    for number in events:
        if number > 0:
            left[number] = None
        elif -number in left:
            del left[-number]
        else:
            size = tape.sizes[-number]
            alike = (each for each in reversed(left) if tape.sizes[each] == size)
            left.pop(next(alike, 0), None)
    return list(left)


def _let_go(tape: Tape, first: _First) -> list[int]:
    """The release of what went into the first block, if nobody else holds it."""
    before = len(tape.events)
    first.held = None
    released = tape.events[before:]
    del tape.events[before:]
    return released


def _passed_back(tape: Tape, node: Node) -> None:
    tape.give(node.inputs[0], node.received())


def _last_back(first: _First, tape: Tape, node: Node) -> None:
    grad = node.received()
    first.start, first.grad = len(tape.events), _number(grad)
    tape.give(node.inputs[0], grad)


def _first_back(first: _First, tape: Tape, node: Node) -> None:
    """Behind the last block's backward pass come those between, and the first's."""
    grad = node.received()
    last, numbers, through = tape.events[first.start :], first.numbers, _number(grad)
    _double(tape, last, numbers)
    tape.events += [-number for number in first.between]
    count = first.kind.count - _WRITTEN
    for size in first.kind.gradients if count else ():
        made = tape.several(size, count, GRADIENTS)
        tape.gradients.append(Tensor(made, size, 1))
    is_other = through != first.grad  # else all is added to what came in
    if is_other:
        numbers[-first.grad] = -through
    outside = {number for number in last if number not in numbers}
    found = [numbers.get(number, number) for number in last]
    if -first.entry in outside:
        outside.remove(-first.entry)
        place = last.index(-first.entry)
        found[place : place + 1] = _let_go(tape, first)
    if outside:
        events = tape.events[first.start :]
        tape.events[first.start :] = [each for each in events if each not in outside]
    tape.events += found
    tape.twins += [
        numbers[each] for each in map(_number, tape.gradients) if each in numbers
    ]
    assert isinstance(grad.storage, Storage)
    if is_other:
        grad.storage.number = numbers[through]
    tape.give(node.inputs[0], grad)


def _number(tensor: Tensor) -> int:
    storage = tensor.storage
    assert isinstance(storage, Storage)
    return storage.number
