"""Norms: the families' own RMS norms, step by step, and torch's layer norm."""

from functools import partial

from studio.domain.decoder.block import Norm
from studio.domain.memory.on_paper.operators import cast
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.tape import FP32, Node, Tape
from studio.domain.memory.on_paper.tensors import Tensor


def normed(tape: Tape, plan: Plan, kind: Norm, x: Tensor, width: int) -> Tensor:
    """Normalise rows of `width` entries."""
    if kind is Norm.LAYER:
        return _layer_norm(tape, plan, x)
    rows = x.count // width
    inner = cast(tape, x, 4)
    square = tape.new(inner.count, 4)
    del square
    scale = tape.new(rows, 4)
    product = tape.new(inner.count, 4)
    entry, stays = inner.node, None if tape.drops or x.node is None else inner
    del inner
    half = None
    if kind is Norm.RMS and plan.trains_norms:
        half = cast(tape, product, x.width)
    node = None
    if x.node is not None:
        kept = (stays, scale, (half or product) if plan.trains_norms else None)
        back = partial(_rms_back, kind, x.width, plan.trains_norms)
        node = tape.node(back, (entry,), kept)
        del kept
    elif plan.trains_norms:  # of the first block: no gradient passes below
        node = tape.node(_weight_back, (), (half or product,))
    del stays
    if kind is Norm.RMS:
        half = half or cast(tape, product, x.width)
        made = tape.new(x.count, max(x.width, plan.norms))
        del half
    else:
        made = tape.new(x.count, 4)
        if kind is Norm.RMS_LATE:
            del product
        made = cast(tape, made, x.width)
    made.node = node
    return made


def _rms_back(kind: Norm, width: int, trains: bool, tape: Tape, node: Node) -> None:
    """From the product with the weight back to the fp32 input."""
    grad = node.received()
    count, strided = grad.count, grad.strided
    if kind is not Norm.RMS and width != FP32:
        grad = tape.new(count, 4)
    kept = list(node.taken())
    by_weight = tape.new(count, grad.width)
    of_weight = tape.new(count, grad.width) if trains else None
    grad = by_weight
    kept.pop()  # what the weight multiplied
    del by_weight, of_weight
    if grad.width != FP32:
        grad = tape.new(count, 4)
    by_scale = tape.new(count, 4)
    direct = tape.new(count, 4)
    direct.strided = strided
    del by_scale, grad
    tape.give(node.inputs[0], direct)
    del direct
    spread = tape.new(count, 4)
    power = tape.new(count, 4)
    factor = tape.new(count, 4)
    through = tape.new(count, 4)
    through.strided = strided
    del factor, power, kept, spread
    node.frame = None  # a checkpointed block's own input ends with its first operator
    tape.give(node.inputs[0], through)


def _weight_back(tape: Tape, node: Node) -> None:
    """The gradient of a weight alone, before it is summed."""
    kept = node.taken()
    grad = node.received()
    of_weight = tape.new(grad.count, grad.width)
    del of_weight, kept, grad


def _layer_norm(tape: Tape, plan: Plan, x: Tensor) -> Tensor:
    if plan.widens:
        x = cast(tape, x, 4)
    node = None
    if x.node is not None:
        node = tape.node(_layer_norm_back, (x.node,), (x,))
    elif plan.trains_norms:
        node = tape.node(_weights_back, (), (x,))
    made = tape.new(x.count, x.width)
    made.node = node
    return made


def _weights_back(_tape: Tape, node: Node) -> None:
    """Gradients of weight and bias alone: vectors."""
    node.taken()
    node.received()


def _layer_norm_back(tape: Tape, node: Node) -> None:
    kept = node.taken()
    grad = node.received()
    made = tape.new(grad.count, grad.width)
    del kept, grad
    node.frame = None
    tape.give(node.inputs[0], made)
