"""What a program allocates and releases, written down without running it.

The formula follows the library's own code: each operator of a layer is stated once as
what it allocates, what it keeps for the backward pass and what that pass allocates.
Python's own reference counts then release what the real program would, when it would.
Only storages of more than a few bytes a token are written down.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum, auto
from functools import partial

from studio.domain.memory.part_names import GRADIENTS

FP32 = 4  # bytes of an entry
BLOCK = 512  # c10/core/AllocatorConfig.h: what the allocator rounds to


class Storage:
    """Memory that lives as long as somebody refers to it.

    Attributes:
        release: Is told that it ended.
        number: Its own on the tape.
    """

    __slots__ = ("number", "release")

    def __init__(self, release: Callable[[int], None], number: int) -> None:
        self.release = release
        self.number = number

    def __del__(self) -> None:
        self.release(-self.number)


class Tensor:
    """A tensor's size, and where its gradient goes.

    Attributes:
        storage: Its memory; None where that is counted elsewhere, as for weights.
        count: Entries.
        width: Bytes of an entry.
        node: Of the operator that made it; None when it needs no gradient.
        strided: Whether its entries lie in another order than its shape tells, so
            that giving it another shape copies it.
    """

    __slots__ = ("count", "node", "storage", "strided", "width")

    def __init__(
        self,
        storage: object,
        count: int,
        width: int,
        node: "Node | None" = None,
        *,
        strided: bool = False,
    ) -> None:
        self.storage = storage
        self.count = count
        self.width = width
        self.node = node
        self.strided = strided


Backward = Callable[["Tape", "Node"], None]


class Node:
    """An operator in the graph that the backward pass goes through.

    Attributes:
        backward: What its backward pass does.
        inputs: Nodes of the operator's inputs.
        grad: The gradient that has come so far.
        held: Tensors that it keeps beside those that checkpointing drops.
    """

    __slots__ = ("_kept", "backward", "frame", "grad", "held", "inputs")

    def __init__(
        self,
        backward: Backward,
        inputs: "tuple[Node | None, ...]",
    ) -> None:
        self.backward = backward
        self.inputs = inputs
        self.grad: Tensor | None = None
        self.held: object = None
        self.frame: Frame | None = None
        self._kept: tuple[Tensor | None, ...] | tuple[int, int] = ()

    def keep(self, kept: "tuple[Tensor | None, ...]", frame: "Frame | None") -> None:
        """Keep tensors for the backward pass, or remember which to compute anew."""
        if frame is None:
            self._kept = kept
            return
        self.frame = frame
        self._kept = (frame.count, len(kept))
        frame.count += len(kept)

    def taken(self) -> "Sequence[Tensor | None]":
        """What was kept; it is kept no longer."""
        kept, self._kept = self._kept, ()
        if self.frame is None or not kept:
            return kept  # type: ignore[return-value]  # without a frame they are tensors
        start, count = kept
        return self.frame.recomputed(start, count)  # type: ignore[arg-type]  # with a frame they are numbers

    def received(self) -> Tensor:
        """The whole gradient; it is held no longer."""
        grad, self.grad = self.grad, None
        assert grad is not None
        return grad


class Frame:
    """A checkpointed layer: its input, and how to go through it again."""

    __slots__ = ("again", "count", "found", "tape")

    def __init__(self, tape: "Tape", again: Callable[[], object]) -> None:
        self.tape = tape
        self.again = again  # holds the layer's input until the frame's end
        self.count = 0
        self.found: list[Tensor | None] = []

    def recomputed(self, start: int, count: int) -> "Sequence[Tensor | None]":
        """Tensors that were dropped; the layer is computed anew for the first."""
        if not self.found:
            self.tape.recover(self, self.again)
        stop = start + count
        found = self.found[start:stop]
        self.found[start:stop] = [None] * count
        return found


class _Mode(Enum):
    PLAIN = auto()  # no graph
    GRAPH = auto()
    CHECKPOINT = auto()  # a graph that keeps nothing
    AGAIN = auto()  # what a checkpointed graph lacks


class _EnoughError(Exception):
    """All that was dropped has been computed anew."""


_GHOST = Node(lambda _tape, _node: None, ())


class Tape:
    """The record, and the operators' way to write on it.

    Attributes:
        events: Numbers of storages as they are allocated; negative for releases.
        sizes: Bytes of each storage, by its number; rounded to blocks.
        counts: Of storages that stand for several equal ones, how many.
        names: Component of each storage.
        passing: Component of what is written down without a name.
        waiting: The head's part of the gradient of a matrix that it shares.
        gradients: Of weights, which live until the optimizer has stepped.
        alike: By a block's output, those of the blocks that it stands for.
        first_forward: How many events there were before the first product.
        first_product: How many there were before the first of the backward pass.
    """

    def __init__(self) -> None:
        self.events: list[int] = []
        self._write = self.events.append
        self.sizes = [0]  # the first number is 1, for it has a negative
        self.counts: dict[int, int] = {}
        self.names = [""]
        self.passing = ""
        self.gradients: list[Tensor] = []
        self.waiting: Tensor | None = None
        self.first_forward = 0
        self.first_product = 0
        self._goes_back = False
        self.alike: dict[int, list[int]] = {}
        self._nodes: list[Node] = []
        self._mode = _Mode.PLAIN
        self._frame: Frame | None = None

    def storage(self, size: int, name: str = "") -> Storage:
        """Allocate bytes."""
        sizes, write = self.sizes, self._write
        number = len(sizes)
        sizes.append(-(-size // BLOCK) * BLOCK)
        self.names.append(name or self.passing)
        write(number)
        return Storage(write, number)

    def several(self, size: int, count: int, name: str) -> Storage:
        """Allocate `count` storages of `size` bytes, written down as one."""
        made = self.storage(0, name)
        self.sizes[made.number] = -(-size // BLOCK) * BLOCK * count
        self.counts[made.number] = count
        return made

    def new(self, count: int, width: int, name: str = "") -> Tensor:
        """Allocate a tensor that needs no gradient."""
        return Tensor(self.storage(count * width, name), count, width)

    def node(
        self,
        backward: Backward,
        inputs: tuple[Node | None, ...],
        kept: tuple[Tensor | None, ...] = (),
    ) -> Node | None:
        """Add an operator to the graph; None when no gradient passes.

        Raises:
            _EnoughError: A layer is computed anew, and this was the last of it.
        """
        mode = self._mode
        if mode is _Mode.PLAIN:
            return None
        if mode is _Mode.AGAIN:
            frame = self._frame
            assert frame is not None
            if kept:
                frame.found.extend(kept)
                if len(frame.found) >= frame.count:
                    raise _EnoughError
            return _GHOST
        made = Node(backward, inputs)
        if kept:
            made.keep(kept, self._frame)
        self._nodes.append(made)
        return made

    def hold(self, node: Node | None, held: object) -> None:
        """Let a node keep what checkpointing doesn't see."""
        if node is not None and node is not _GHOST:
            node.held = held

    def give(self, node: Node | None, grad: Tensor | None) -> None:
        """Add a gradient to what a node has received.

        The sum is a new tensor: torch/csrc/autograd/input_buffer.cpp adds in place
        only where no dispatch mode watches.
        """
        if node is None or grad is None:
            return
        if node.grad is None:
            node.grad = grad
            return
        total = self.new(grad.count, grad.width)
        total.strided = grad.strided
        node.grad = total

    @contextmanager
    def graph(self) -> Iterator[None]:
        """Build a graph, as training does."""
        self._mode = _Mode.GRAPH
        yield
        self._mode = _Mode.PLAIN

    def checkpointed(self, layer: Callable[[Tensor], Tensor], entry: Tensor) -> Tensor:
        """Go through a layer and keep its input alone."""
        self._frame = Frame(self, lambda: layer(entry))
        self._mode = _Mode.CHECKPOINT
        left = layer(entry)
        self._mode, self._frame = _Mode.GRAPH, None
        return left

    def recover(self, frame: Frame, again: Callable[[], object]) -> None:
        """Go through a checkpointed layer once more, up to what it lacks."""
        mode, self._mode, self._frame = self._mode, _Mode.AGAIN, frame
        with suppress(_EnoughError):
            again()
        self._mode, self._frame = mode, None

    def backward(self) -> None:
        """Go through the graph from the last operator to the first."""
        self._goes_back = True
        nodes = self._nodes
        while nodes:
            node = nodes.pop()
            if node.grad is not None:
                node.backward(self, node)

    def signed(self, number: int) -> int:
        """What an event adds to the bytes that live."""
        return self.sizes[number] if number > 0 else -self.sizes[-number]

    def rename(self, tensor: Tensor, name: str) -> None:
        """Count a tensor that was just allocated to a component."""
        storage = tensor.storage
        assert isinstance(storage, Storage)
        self.names[storage.number] = name

    def multiplies(self) -> None:
        """Note that a pass comes to a product."""
        if self._goes_back:
            self.first_product = self.first_product or len(self.events)
        else:
            self.first_forward = self.first_forward or len(self.events)

    @property
    def learns(self) -> bool:
        """Whether a graph is built, as in training alone."""
        return self._mode is not _Mode.PLAIN

    @property
    def drops(self) -> bool:
        """Whether what is kept will be computed anew."""
        return self._mode is _Mode.CHECKPOINT

    @property
    def position(self) -> tuple[int, int]:
        """How much is written down, and how many operators the graph has."""
        return len(self.events), len(self._nodes)

    def repeat_before(
        self,
        position: tuple[int, int],
        count: int,
        gradients: Sequence[int],
        entry: Node,
        left: Tensor | None = None,
    ) -> None:
        """Let `count` more blocks, like what followed a position, stand before it.

        What it left is there that much more often, until its backward pass is over,
        when each block's gradients appear.

        Args:
            position: Where the block began.
            count: Further blocks.
            gradients: Bytes of each that a block keeps.
            entry: Stands where the block's input came from.
            left: The block's output, where such outputs alone are left.
        """
        at, place = position
        more = []
        for number in self._left_since(at) if count else ():
            more.append(len(self.sizes))
            self.counts[len(self.sizes)] = count
            self.sizes.append(count * self.sizes[number])
            self.names.append(self.names[number])
        self.events[at:at] = more
        if left is not None:
            self.alike[_number(left)] = more
        elif at < self.first_forward:
            self.first_forward += len(more)
        entry.backward = partial(_repeated_back, more, count, gradients)
        self._nodes.insert(place, entry)

    def _left_since(self, at: int) -> list[int]:
        """What was allocated since and stands, less what it took the place of."""
        left: dict[int, None] = {}
        for number in self.events[at:]:
            if number > 0:
                left[number] = None
            elif -number in left:
                del left[-number]
            else:
                size = self.sizes[-number]
                alike = (each for each in reversed(left) if self.sizes[each] == size)
                left.pop(next(alike, 0), None)
        return list(left)

    def adding(self) -> list[int]:
        """The events where each gradient is added to one that stands already."""
        kept = {-_number(each) for each in self.gradients}
        found = []
        for number in self.events:
            if -number not in kept:
                found.append(number)
            elif number not in self.counts:
                found += (number, -number)
        return found


def _number(tensor: Tensor) -> int:
    storage = tensor.storage
    assert isinstance(storage, Storage)
    return storage.number


def _repeated_back(
    more: list[int], count: int, gradients: Sequence[int], tape: Tape, node: Node
) -> None:
    grad = node.received()
    tape.events += [-number for number in more]
    for size in gradients if count else ():
        made = tape.several(size, count, GRADIENTS)
        tape.gradients.append(Tensor(made, count * size, 1))
    tape.give(node.inputs[0], grad)
