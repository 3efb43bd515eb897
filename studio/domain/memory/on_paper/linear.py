"""Linear layers as bitsandbytes, torch and peft compute them."""

from functools import partial

from studio.domain.decoder.block import LinearShape
from studio.domain.memory.on_paper.operators import (
    added,
    cast,
    copied,
    dropped,
    scaled,
)
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.tape import FP32, Node, Tape
from studio.domain.memory.on_paper.tensors import Tensor
from studio.domain.memory.part_names import DEQUANTIZED, GRADIENTS

QUANTIZATION_BLOCK = 64  # bitsandbytes nn/modules.py:230


def linear(tape: Tape, plan: Plan, layer: LinearShape, x: Tensor) -> Tensor:
    """A layer with or without its adapter."""
    if not plan.adapts(layer):
        return _base(tape, plan, layer, x)
    if plan.quantizes:
        return _adapted_quantized(tape, plan, layer, x)
    return _adapted(tape, plan, layer, x)


def _adapted_quantized(tape: Tape, plan: Plan, layer: LinearShape, x: Tensor) -> Tensor:
    """As tuners/lora/bnb.py of peft, `Linear4bit` and `Linear8bitLt`, has it."""
    result = _base(tape, plan, layer, x)
    if plan.four_bit:
        result = copied(tape, result)
    width = result.width
    # It asks for a card's autocast alone, and so casts beside a processor's.
    casts = not plan.widens
    if casts:
        x = cast(tape, x, plan.adapter)
    output = scaled(tape, _low_rank(tape, plan, layer, x))
    if casts:
        output = cast(tape, output, width)
    return added(tape, result, output)


def _adapted(tape: Tape, plan: Plan, layer: LinearShape, x: Tensor) -> Tensor:
    """As tuners/lora/layer.py of peft: `Linear.forward`."""
    result = _base(tape, plan, layer, x)
    width = result.width
    x = cast(tape, x, plan.adapter)
    result = added(tape, result, scaled(tape, _low_rank(tape, plan, layer, x)))
    return cast(tape, result, width)


def _low_rank(tape: Tape, plan: Plan, layer: LinearShape, x: Tensor) -> Tensor:
    if plan.dropout:
        x = dropped(tape, x)
    inner = product(tape, plan, x, layer.inputs, plan.rank, plan.adapter, trains=True)
    del x  # what was dropped has no name
    return product(
        tape, plan, inner, plan.rank, layer.outputs, plan.adapter, trains=True
    )


def product(  # noqa: PLR0913 - a product has that many sides
    tape: Tape,
    plan: Plan,
    x: Tensor,
    inputs: int,
    outputs: int,
    width: int,
    *,
    trains: bool,
    biased: bool = False,
) -> Tensor:
    """`torch.nn.functional.linear` on a weight of outputs x inputs entries."""
    rows = x.count // inputs
    casts = plan.autocast and width != plan.compute
    weight: Tensor | None = None
    if casts:  # arguments are evaluated from the last one on
        weight = _narrowed(tape, plan, inputs * outputs, trains=trains)
    if plan.autocast:
        x = cast(tape, x, plan.compute)
        width = plan.compute
    entry = x.node
    kept = (x if trains else None, weight if entry is not None else None)
    node = None
    if trains or entry is not None:
        meta = (rows, inputs, outputs, trains, biased)
        through = (entry, weight.node if weight else None)
        node = tape.node(partial(_product_back, meta), through, kept)
    tape.multiplies()
    made = tape.new(rows * outputs, width)
    made.node = node
    return made


def _narrowed(tape: Tape, plan: Plan, entries: int, *, trains: bool) -> Tensor:
    """A weight as autocast casts it; it keeps the casts of trained ones."""
    weight = tape.new(entries, plan.compute)
    if trains:
        tape.casts.append(weight)
        weight.node = tape.node(_widened_back, ())
    return weight


def _widened_back(tape: Tape, node: Node) -> None:
    grad = node.received()
    tape.gradients.append(tape.new(grad.count, FP32, GRADIENTS))


def _product_back(
    meta: tuple[int, int, int, bool, bool], tape: Tape, node: Node
) -> None:
    kept = node.taken()
    grad = node.received()
    rows, inputs, outputs, trains, biased = meta
    tape.multiplies()
    made = through = None
    if trains and not biased:
        made = tape.new(inputs * outputs, grad.width, GRADIENTS)
    if node.inputs[0] is not None:
        through = tape.new(rows * inputs, grad.width)
        through.seen = True  # its rows are seen as rows of texts
    if trains and biased:  # `addmm` has the other order (torch derivatives.yaml)
        made = tape.new(inputs * outputs, grad.width, GRADIENTS)
    del kept, grad
    tape.give(node.inputs[0], through)
    del through
    if node.inputs[1] is not None:
        tape.give(node.inputs[1], made)
    elif made is not None:
        tape.gradients.append(made)


def _base(tape: Tape, plan: Plan, layer: LinearShape, x: Tensor) -> Tensor:
    if plan.four_bit:
        return _four_bit(tape, plan, layer, x)
    if plan.eight_bit:
        return _eight_bit(tape, plan, layer, x)
    return product(
        tape,
        plan,
        x,
        layer.inputs,
        layer.outputs,
        plan.plain,
        trains=plan.trains_base,
        biased=layer.bias,
    )


def _four_bit(tape: Tape, plan: Plan, layer: LinearShape, x: Tensor) -> Tensor:
    """`Linear4bit.forward` (bitsandbytes nn/modules.py) and `MatMul4Bit`."""
    width = x.width
    x = cast(tape, x, plan.compute)
    rows, weights = x.count // layer.inputs, layer.inputs * layer.outputs
    tape.multiplies()
    inside = _unpacked(tape, plan, layer) if plan.card else ()
    made = tape.new(rows * layer.outputs, plan.compute)
    del inside
    if x.node is not None:
        meta = (rows * layer.inputs, weights, plan.double_quant, plan.compute)
        made.node = tape.node(partial(_four_bit_back, meta), (x.node,))
    left = cast(tape, made, width)
    del made, x  # in this order
    return left


def _unpacked(tape: Tape, plan: Plan, layer: LinearShape) -> object:
    """`_dequant_linear_fallback` (bitsandbytes backends/cuda/ops.py)."""
    if plan.extent.fused and layer.inputs % QUANTIZATION_BLOCK == 0:
        return ()
    weights = layer.inputs * layer.outputs
    scales = 4 * -(-weights // QUANTIZATION_BLOCK)
    found = []
    if plan.double_quant:
        found = [tape.storage(scales, DEQUANTIZED), tape.storage(scales, DEQUANTIZED)]
    found.append(tape.storage(weights * plan.compute, DEQUANTIZED))
    return found[::-1]  # a list lets its last one go first


def _four_bit_back(meta: tuple[int, int, bool, int], tape: Tape, node: Node) -> None:
    """`MatMul4Bit.backward` (bitsandbytes autograd/_functions.py)."""
    grad = node.received()
    entries, weights, double_quant, width = meta
    blocks = -(-weights // QUANTIZATION_BLOCK)
    scales = tape.new(blocks, 4, DEQUANTIZED) if double_quant else None
    unpacked = tape.new(weights, width, DEQUANTIZED)
    del scales
    if grad.width != width:
        unpacked = tape.new(weights, grad.width, DEQUANTIZED)
    made = tape.new(entries, grad.width)
    del unpacked, grad
    tape.give(node.inputs[0], made)


def _eight_bit(tape: Tape, plan: Plan, layer: LinearShape, x: Tensor) -> Tensor:
    """`MatMul8bitLt` (bitsandbytes autograd/_functions.py); it keeps its input."""
    rows = x.count // layer.inputs
    half = x if plan.is_half else tape.new(x.count, 2)
    absolute = tape.new(x.count, half.width, DEQUANTIZED)
    outliers = tape.new(x.count, 1, DEQUANTIZED)
    packed = tape.new(x.count, 1)
    del absolute, outliers, half
    product_32 = tape.new(rows * layer.outputs, 4, DEQUANTIZED)
    product_16 = (
        None if plan.is_half else tape.new(rows * layer.outputs, 2, DEQUANTIZED)
    )
    made = tape.new(rows * layer.outputs, x.width)
    del product_32, product_16, packed
    if x.node is not None:
        meta = (layer.inputs * layer.outputs, x.width, x.count)
        made.node = tape.node(partial(_eight_bit_back, *meta), (x.node,))
        tape.hold(x)
    return made


def _eight_bit_back(
    weights: int, width: int, entries: int, tape: Tape, node: Node
) -> None:
    grad = node.received()
    unpacked = tape.new(weights, width, DEQUANTIZED)
    if grad.width != width:
        grad = tape.new(grad.count, width)
    made = tape.new(entries, width)
    del unpacked, grad
    tape.give(node.inputs[0], made)
