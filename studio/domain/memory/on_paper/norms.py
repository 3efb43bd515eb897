"""Norms: the families' own RMS norms, step by step, and torch's layer norm."""

from functools import partial

from studio.domain.decoder.block import Norm
from studio.domain.memory.on_paper.operators import cast
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.tape import FP32, Node, Tape, Tensor


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
    node = None
    if x.node is not None:
        factor = product if plan.trains_base else None
        back = partial(_rms_back, kind, x.width, plan.trains_base)
        node = tape.node(back, (inner.node,), (inner, scale, factor))
        del factor
    del inner
    if kind is Norm.RMS:
        half = cast(tape, product, x.width)
        made = tape.new(x.count, max(x.width, plan.norms))
        del half
    else:
        made = cast(tape, tape.new(x.count, 4), x.width)
    made.node = node
    return made


def _rms_back(kind: Norm, width: int, trains: bool, tape: Tape, node: Node) -> None:
    """From the product with the weight back to the fp32 input."""
    kept = node.taken()
    grad = node.received()
    count = grad.count
    if kind is not Norm.RMS and width != FP32:
        grad = tape.new(count, 4)
    if trains:
        whole = tape.new(count, grad.width)
        del whole
    grad = tape.new(count, grad.width)  # times the weight
    if grad.width != FP32:
        grad = tape.new(count, 4)
    by_scale = tape.new(count, 4)
    direct = tape.new(count, 4)
    del by_scale, grad
    spread = tape.new(count, 4)
    power = tape.new(count, 4)
    factor = tape.new(count, 4)
    through = tape.new(count, 4)
    del factor, power, kept, spread
    total = tape.new(count, 4)
    del direct, through
    tape.give(node.inputs[0], total)


def _layer_norm(tape: Tape, plan: Plan, x: Tensor) -> Tensor:
    if plan.autocast:
        x = cast(tape, x, 4)
    node = None
    if x.node is not None:
        node = tape.node(_layer_norm_back, (x.node,), (x,))
    made = tape.new(x.count, x.width)
    made.node = node
    return made


def _layer_norm_back(tape: Tape, node: Node) -> None:
    kept = node.taken()
    grad = node.received()
    made = tape.new(grad.count, grad.width)
    del kept, grad
    tape.give(node.inputs[0], made)
