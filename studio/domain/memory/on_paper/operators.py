"""Operators of torch: what each allocates, keeps, and allocates in its backward pass.

Derivatives are those of tools/autograd/derivatives.yaml of torch 2.13, gradients of
the second operand first, as the generated code has them. A backward pass lets its
gradient go when its results stand.
"""

from functools import partial

from studio.domain.memory.on_paper.tape import Node, Tape
from studio.domain.memory.on_paper.tensors import Tensor
from studio.domain.memory.part_names import ATTENTION


def cast(tape: Tape, x: Tensor, width: int) -> Tensor:
    """`x.to(dtype)`: nothing when it has that format already."""
    if x.width == width:
        return x
    made = tape.new(x.count, width)
    made.strided = x.strided
    if x.node is not None:
        made.node = tape.node(partial(_cast_back, x.width), (x.node,))
    return made


def _cast_back(width: int, tape: Tape, node: Node) -> None:
    grad = node.received()
    made = grad if grad.width == width else tape.new(grad.count, width)
    made.strided = grad.strided
    del grad
    tape.give(node.inputs[0], made)


def copied(tape: Tape, x: Tensor) -> Tensor:
    """`x.clone()`."""
    made = tape.new(x.count, x.width)
    if x.node is not None:
        made.node = tape.node(_pass_back, (x.node,))
    return made


def _pass_back(tape: Tape, node: Node) -> None:
    grad = node.received()
    for each in node.inputs:
        tape.give(each, grad)


def added(tape: Tape, one: Tensor, other: Tensor) -> Tensor:
    """`one + other`, of equal shape."""
    made = tape.new(one.count, max(one.width, other.width))
    if one.node is not None or other.node is not None:
        meta = (one.width, other.width)
        made.node = tape.node(partial(_added_back, meta), (one.node, other.node))
    return made


def _added_back(widths: tuple[int, int], tape: Tape, node: Node) -> None:
    grad = node.received()
    for each, width in zip(reversed(node.inputs), reversed(widths), strict=True):
        if each is not None:
            part = grad if width == grad.width else tape.new(grad.count, width)
            tape.give(each, part)


def scaled(tape: Tape, x: Tensor) -> Tensor:
    """`x * number`."""
    made = tape.new(x.count, x.width)
    made.strided = x.strided
    if x.node is not None:
        made.node = tape.node(_scaled_back, (x.node,))
    return made


def _scaled_back(tape: Tape, node: Node) -> None:
    grad = node.received()
    made = tape.new(grad.count, grad.width)
    made.strided = grad.strided
    del grad
    tape.give(node.inputs[0], made)


def multiplied(tape: Tape, one: Tensor, other: Tensor) -> Tensor:
    """`one * other`, of equal shape and format."""
    node = tape.node(_multiplied_back, (one.node, other.node), (other, one))
    made = tape.new(one.count, one.width)
    made.node = node
    return made


def _multiplied_back(tape: Tape, node: Node) -> None:
    kept = node.ending()
    grad = node.received()
    two = tape.new(grad.count, grad.width)
    one = tape.new(grad.count, grad.width)
    del kept, grad
    tape.give(node.inputs[1], two)
    del two
    tape.give(node.inputs[0], one)


def activated(tape: Tape, x: Tensor) -> Tensor:
    """SiLU, GELU and other functions that keep their input, one kernel each way."""
    node = tape.node(_activated_back, (x.node,), (x,))
    made = tape.new(x.count, x.width)
    made.node = node
    return made


def _activated_back(tape: Tape, node: Node) -> None:
    kept = node.taken()
    grad = node.received()
    made = tape.new(grad.count, grad.width)
    del kept, grad
    tape.give(node.inputs[0], made)


def cubed(tape: Tape, x: Tensor) -> Tensor:
    """`x.pow(3)`."""
    node = tape.node(_cubed_back, (x.node,), (x,))
    made = tape.new(x.count, x.width)
    made.node = node
    return made


def _cubed_back(tape: Tape, node: Node) -> None:
    """`grad * (exponent * x.pow(exponent - 1))`."""
    kept = node.taken()
    grad = node.received()
    square = tape.new(grad.count, grad.width)
    factor = tape.new(grad.count, grad.width)
    made = tape.new(grad.count, grad.width)
    del square, factor, kept, grad
    tape.give(node.inputs[0], made)


def dropped(tape: Tape, x: Tensor) -> Tensor:
    """A result, and a mask that is kept, where training drops.

    A card's `native_dropout` makes it of bytes, a processor of the entries' format
    (ATen/native/Dropout.cpp).
    """
    if not (tape.learns and tape.drops_out):
        return x
    made = tape.new(x.count, x.width)
    mask = tape.new(x.count, 1 if tape.on_card else x.width)
    if x.node is not None:
        made.node = tape.node(_dropped_back, (x.node,), (mask,))
    return made


def _dropped_back(tape: Tape, node: Node) -> None:
    kept = node.taken()
    grad = node.received()
    made = tape.new(grad.count, grad.width)
    del kept, grad
    tape.give(node.inputs[0], made)


def softmax(tape: Tape, scores: Tensor, width: int, *, copies: bool) -> Tensor:
    """Probabilities in an own format; `copies` when the scores are cast first."""
    if copies:
        scores = cast(tape, scores, width)
    made = tape.new(scores.count, width, ATTENTION)
    if scores.node is not None:
        kept = (made_kept(made),)
        made.node = tape.node(
            partial(_softmax_back, scores.width), (scores.node,), kept
        )
    return made


def made_kept(made: Tensor) -> Tensor:
    """A result that its own operator keeps, without its graph."""
    return Tensor(made.storage, made.count, made.width)


def _softmax_back(width: int, tape: Tape, node: Node) -> None:
    """A card has grad * output beside the result (ATen/native/cuda/SoftMax.cu)."""
    kept = node.taken()
    grad = node.received()
    made = tape.new(grad.count, width, ATTENTION)
    inside = tape.new(grad.count, grad.width, ATTENTION) if tape.on_card else None
    del inside, kept, grad
    tape.give(node.inputs[0], made)


def tanh(tape: Tape, x: Tensor) -> Tensor:
    """A function that keeps its result."""
    made = tape.new(x.count, x.width)
    if x.node is not None:
        made.node = tape.node(_activated_back, (x.node,), (made_kept(made),))
    return made


def shifted(tape: Tape, x: Tensor) -> Tensor:
    """`x + number`, or a mask that needs no gradient: the gradient passes."""
    made = tape.new(x.count, x.width)
    if x.node is not None:
        made.node = tape.node(_pass_back, (x.node,))
    return made


def split(tape: Tape, x: Tensor, counts: tuple[int, ...]) -> list[Tensor]:
    """Views of a tensor's parts, whose gradients are joined once all have come."""
    if x.node is None:
        return [Tensor(x.storage, count, x.width) for count in counts]
    whole = tape.node(partial(_split_back, x.count), (x.node,))
    return [
        Tensor(x.storage, count, x.width, tape.node(_share_back, (whole,)))
        for count in counts
    ]


def _share_back(_tape: Tape, node: Node) -> None:
    whole, grad = node.inputs[0], node.received()
    assert whole is not None
    whole.held = (whole.held, grad)
    whole.grad = whole.grad or Tensor(None, grad.count, grad.width)


def _split_back(count: int, tape: Tape, node: Node) -> None:
    width = node.received().width
    made = tape.new(count, width)
    made.strided = True
    node.held = None
    tape.give(node.inputs[0], made)


def sliced(tape: Tape, x: Tensor, counts: tuple[int, ...]) -> list[Tensor]:
    """Slices of a tensor, whose gradients are each spread over the whole of it."""
    found = []
    for count in counts:
        node = None
        if x.node is not None:
            node = tape.node(partial(_slice_back, x.count), (x.node,))
        found.append(Tensor(x.storage, count, x.width, node))
    return found


def _slice_back(count: int, tape: Tape, node: Node) -> None:
    grad = node.received()
    made = tape.new(count, grad.width)
    del grad
    tape.give(node.inputs[0], made)


def headed(tape: Tape, x: Tensor) -> Tensor:
    """Rows seen as heads, whose gradient lies by heads until it is copied back."""
    node = tape.node(_headed_back, (x.node,)) if x.node is not None else None
    return Tensor(x.storage, x.count, x.width, node, strided=True)


def _headed_back(tape: Tape, node: Node) -> None:
    grad = node.received()
    if grad.strided:
        grad = tape.new(grad.count, grad.width)
    tape.give(node.inputs[0], grad)
