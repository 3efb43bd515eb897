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

from studio.domain.memory.on_paper.tensors import Storage, Tensor, holders

BF16, FP32 = 2, 4  # bytes of an entry
BLOCK = 512  # c10/core/AllocatorConfig.h: what the allocator rounds to


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

    def ending(self) -> "Sequence[Tensor | None]":
        """What was kept, to be let go of as torch does; from the last one on.

        An operator keeps its tensors in the order of their names, and lets go of them
        so. What was computed anew only its locals hold, which end from the last one on.
        """
        is_kept = self.frame is None
        kept = self.taken()
        return kept[::-1] if is_kept else kept

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
        cached: Keys and values of the answers so far, where any are asked for.
        events: Numbers of storages as they are allocated; negative for releases.
        sizes: Bytes of each storage, by its number; in symbols (`extent.py`) or not.
        counts: Of storages that stand for several equal ones, how many.
        names: Component of each storage.
        passing: Component of what is written down without a name.
        drops_out: Whether training drops entries out.
        on_card: Whether kernels are a card's.
        waiting: The head's part of the gradient of a matrix that it shares.
        gradients: Of weights, which live until the optimizer has stepped.
        casts: Of trained weights, which autocast keeps while a forward pass goes on
            (aten/src/ATen/autocast_mode.cpp, `cached_cast`).
        nodes: The graph, in order.
        lasting: What functions' own contexts keep until the graph ends.
        with_forward: Further storages that end with a forward pass.
        with_graph: Further storages that end with the graph.
        images: The first block's of what the last one leaves to an end.
        twins: Storages of gradients that no tensor stands for.
        first_forward: How many events there were before the first product.
        first_product: How many there were before the first of the backward pass.
    """

    def __init__(self, *, on_card: bool = True) -> None:
        self.events: list[int] = []
        self._write = self.events.append
        self.sizes = [0]  # the first number is 1, for it has a negative
        self.counts: dict[int, int] = {}
        self.names = [""]
        self.passing = ""
        self.drops_out = True
        self.on_card = on_card
        self.gradients: list[Tensor] = []
        self.waiting: Tensor | None = None
        self.first_forward = 0
        self.first_product = 0
        self._goes_back = False
        self.casts: list[Tensor] = []
        self.cached: list[Tensor] | None = None
        self.lasting: list[Tensor] = []
        self.with_forward: list[int] = []
        self.with_graph: list[int] = []
        self.twins: list[int] = []
        self.images: dict[int, int] = {}
        self._late = 0, 0
        self.nodes: list[Node] = []
        self._mode = _Mode.PLAIN
        self._frame: Frame | None = None

    def storage(self, size: int, name: str = "") -> Storage:
        """Allocate bytes."""
        sizes, write = self.sizes, self._write
        number = len(sizes)
        sizes.append(size)
        self.names.append(name or self.passing)
        write(number)
        return Storage(write, number)

    def several(self, size: int, count: int, name: str) -> Storage:
        """Allocate `count` storages of `size` bytes, written down as one."""
        made = self.storage(size, name)
        self.counts[made.number] = count
        return made

    def new(self, count: int, width: int, name: str = "") -> Tensor:
        """Allocate a tensor that needs no gradient."""
        # As `storage` does, which would be one call more.
        sizes, write = self.sizes, self._write
        number = len(sizes)
        sizes.append(count * width)
        self.names.append(name or self.passing)
        write(number)
        return Tensor(Storage(write, number), count, width)

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
        self.nodes.append(made)
        return made

    def hold(self, held: Tensor) -> None:
        """Keep what a function's own context keeps, past checkpointing.

        Nobody lets it go before the whole graph ends, with the loss.
        """
        if self._mode is not _Mode.AGAIN:
            self.lasting.append(Tensor(held.storage, held.count, held.width))

    def give(self, node: Node | None, grad: Tensor | None) -> None:
        """Add a gradient to what a node has received.

        The sum lies where the first one lay if nobody else holds that
        (torch/csrc/autograd/input_buffer.cpp, `can_accumulate_inplace`).
        """
        if node is None or grad is None:
            return
        waiting = node.grad
        if waiting is None:
            node.grad = grad
            return
        if not waiting.seen and holders(waiting) == _ALONE:
            return
        del waiting
        total = self.new(grad.count, grad.width)
        total.strided = grad.strided
        node.grad = total

    @contextmanager
    def graph(self) -> Iterator[None]:
        """Build a graph, as training does."""
        self._mode = _Mode.GRAPH
        yield
        self._mode = _Mode.PLAIN

    def checkpointed(
        self, layer: Callable[[Tensor], Tensor], entry: Tensor, *, offloads: bool
    ) -> Tensor:
        """Go through a layer and keep its input alone.

        Args:
            layer: Is computed anew in the backward pass.
            entry: What goes into it.
            offloads: It is kept in main memory, and another comes back.
        """
        count, width, node = entry.count, entry.width, entry.node
        again = partial(layer, entry)
        if offloads:
            again = partial(self._come_back, layer, count, width, node)
        self._frame = Frame(self, again)
        self._mode = _Mode.CHECKPOINT
        left = layer(entry)
        self._mode, self._frame = _Mode.GRAPH, None
        return left

    def _come_back(
        self,
        layer: Callable[[Tensor], Tensor],
        count: int,
        width: int,
        node: Node | None,
    ) -> Tensor:
        entry = self.new(count, width)
        entry.node = node
        return layer(entry)

    def recover(self, frame: Frame, again: Callable[[], object]) -> None:
        """Go through a checkpointed layer once more, up to what it lacks."""
        mode, self._mode, self._frame = self._mode, _Mode.AGAIN, frame
        with suppress(_EnoughError):
            again()
        self.casts.clear()
        self._mode, self._frame = mode, None

    def backward(self) -> None:
        """Go through the graph from the last operator to the first."""
        self._goes_back = True
        nodes = self.nodes
        while nodes:
            node = nodes.pop()
            if node.grad is not None:
                node.backward(self, node)
                node.frame = None

    def end_forward(self) -> None:
        """Let go what autocast kept, and the answers so far."""
        before = len(self.events)
        self.casts.clear()
        self.cached = None
        self._let_go(before, self.with_forward)

    def end_graph(self) -> None:
        """Let go what only the graph's end lets go."""
        before = len(self.events)
        self.lasting.clear()
        self._let_go(before, self.with_graph)

    def _let_go(self, before: int, others: list[int]) -> None:
        images = (self.images.get(-each, 0) for each in self.events[before:])
        others += filter(None, images)
        self.events += [-number for number in others]
        others.clear()

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

    def adding(self) -> list[int]:
        """The events where each gradient is added to one that stands already."""
        kept = {*map(_number, self.gradients), *self.twins}
        found = self.events.copy()
        late = self._late
        places = [(at, n) for at, n in enumerate(found) if n in kept and n != late[1]]
        if late[1]:
            places = sorted((*places, late), key=lambda e: (e[0], e != late))
        for at, number in reversed(places):
            if number == late[1]:
                found.insert(at, -number)
            else:
                found[at : at + 1] = () if number in self.counts else (number, -number)
        return found

    def share(self, gradient: Tensor) -> None:
        """Note that a gradient has all its parts only here, behind its beginning."""
        self._late = len(self.events), _number(gradient)


def _known_holders() -> tuple[int, int]:
    """How often one is held that only a node holds, asked as `Tape.give` asks."""
    node = Node(_GHOST.backward, ())
    node.grad = Tensor(Storage(lambda _number: None, 1), 1, 1)
    waiting = node.grad
    return holders(waiting)


_ALONE = _known_holders()


def _number(tensor: Tensor) -> int:
    storage = tensor.storage
    assert isinstance(storage, Storage)
    return storage.number
