"""Rotary positions: queries and keys are turned, or a part of each of their heads.

Families join the turned part to what passes by in different orders, and hold parts by
different names (models/*/modeling_*.py of transformers 5.23, `apply_rotary_pos_emb`).
"""

from functools import partial

from studio.domain.decoder.block import Heads
from studio.domain.memory.on_paper.operators import cast
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.tape import FP32, Node, Tape
from studio.domain.memory.on_paper.tensors import Tensor


def rotated(
    tape: Tape, plan: Plan, heads: Heads, streams: list[Tensor], held: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """Queries and keys, turned by their positions; a part of each head may pass by.

    The positions have the format of the embedded batch, which may be wider than that of
    the `streams`. `held` is given what names hold until attention is done.
    """
    query, key = streams
    if not heads.rotary:
        return query, key
    by = FP32 if heads.wide_turns else plan.plain
    if not heads.joins:
        first, second = _turned(tape, heads, query, by), _turned(tape, heads, key, by)
        first.node = _turn(tape, query, query.node, first.count)
        second.node = _turn(tape, key, key.node, second.count)
        if not heads.wide_turns:
            return first, second
        return cast(tape, first, query.width), cast(tape, second, key.width)
    parts = _parted(tape, heads, query), _parted(tape, heads, key)
    if heads.joins_each:
        query = _joined(tape, query, _turned(tape, heads, query, by), parts[0])
        return query, _joined(tape, key, _turned(tape, heads, key, by), parts[1])
    first, second = _turned(tape, heads, query, by), _turned(tape, heads, key, by)
    if heads.names_parts:
        held += query, key, first, second
    query = _joined(tape, query, first, parts[0])
    del first
    return query, _joined(tape, key, second, parts[1])


def _turned(tape: Tape, heads: Heads, x: Tensor, by: int) -> Tensor:
    """`x * cos + rotate_half(x) * sin`, of which cos and sin are `by` bytes wide."""
    count, width = x.count * heads.rotary // heads.width, max(x.width, by)
    with_cos = tape.new(count, width)
    negative = tape.new(count // 2, x.width)
    turned = tape.new(count, x.width)
    del negative
    with_sin = tape.new(count, width)
    del turned
    made = tape.new(count, width)
    made.strided = x.strided
    del with_cos, with_sin
    return made


def _turn(tape: Tape, x: Tensor, entry: Node | None, count: int) -> Node | None:
    if entry is None:
        return None
    return tape.node(partial(_turned_back, count, x.width), (entry,))


def _turned_back(count: int, width: int, tape: Tape, node: Node) -> None:
    grad = node.received()
    with_sin = cast(tape, tape.new(count, grad.width), width)
    half = tape.new(count // 2, width)
    made = tape.new(count, width)
    del half
    other = tape.new(count, width)
    del with_sin, other  # what comes later is added in place
    with_cos = cast(tape, tape.new(count, grad.width), width)
    del grad, with_cos
    made.strided = True
    tape.give(node.inputs[0], made)


def _parted(tape: Tape, heads: Heads, x: Tensor) -> Node | None:
    """Slices of each head: the part that is rotated, and what passes by."""
    if x.node is None:
        return None
    passes = heads.rotary < heads.width
    return tape.node(partial(_parted_back, x.count, x.width, passes), (x.node,))


def _parted_back(whole: int, width: int, passes: bool, tape: Tape, node: Node) -> None:
    """Each slice's gradient is spread over the whole of it; one may be empty."""
    grad = node.received()
    made = tape.new(whole, width)
    node.held = None
    turns = tape.new(whole, width) if passes else None
    del grad, turns  # added in place
    made.strided = True
    tape.give(node.inputs[0], made)


def _joined(tape: Tape, x: Tensor, turned: Tensor, part: Node | None) -> Tensor:
    """The turned part and what passes by."""
    made = tape.new(x.count, turned.width)
    if part is not None:
        turn = _turn(tape, x, part, turned.count)
        made.node = tape.node(partial(_joined_back, turned.count), (turn, part))
    return made


def _joined_back(count: int, tape: Tape, node: Node) -> None:
    grad = node.received()
    turn, part = node.inputs
    assert part is not None
    part.held = grad
    tape.give(turn, Tensor(grad.storage, count, grad.width))
