"""Attention between the projections: the kernels.

The kernels' sizes are those of the dry run's stand-ins, which name their sources in
ATen/native/transformers/cuda of torch 2.13.
"""

from functools import partial

from studio.domain.decoder.block import Block, Heads
from studio.domain.memory.on_paper.extent import Extent
from studio.domain.memory.on_paper.operators import (
    cast,
    copied,
    dropped,
    made_kept,
    scaled,
    shifted,
    softmax,
    tanh,
)
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.tape import FP32, Node, Tape
from studio.domain.memory.on_paper.tensors import Tensor
from studio.domain.memory.part_names import ATTENTION
from studio.domain.recipe_options import Attention

_FLASH_HEAD = 256
_STATISTICS_ROWS = 32
_TILE = 64
_FLASH_ROWS, _FLASH_WIDTH = 128, 32
_WIDE_OUTPUT = 128


def attended(
    tape: Tape,
    plan: Plan,
    block: Block,
    streams: tuple[Tensor, Tensor, Tensor],
    seen: list[Tensor],
) -> Tensor:
    """What the values come to, by the kernel that the card takes.

    `seen` is given the probabilities, if the block is given them as well.
    """
    query, key, value = streams
    heads = block.heads
    masks = plan.masks or block.window in plan.extent.narrow
    if plan.attention is Attention.EAGER:
        return _eager(tape, plan, heads, streams, seen)
    groups = heads.queries // heads.keys
    by_groups = groups > 1 and not masks and heads.width <= _FLASH_HEAD
    expands = plan.card and plan.expands_keys and not plan.flash and by_groups
    if groups > 1 and (not by_groups or expands):
        key, value = _repeated(tape, heads, key), _repeated(tape, heads, value)
        by_groups = False
    # Names hold what autocast casts until the kernel has run.
    inputs = query, key, value
    if plan.autocast:
        first, second, third = (cast(tape, x, plan.compute) for x in inputs)
        inputs = first, second, third
    return _by_kernel(tape, plan, heads, inputs, masks=masks, by_groups=by_groups)


def _by_kernel(
    tape: Tape,
    plan: Plan,
    heads: Heads,
    inputs: tuple[Tensor, Tensor, Tensor],
    *,
    masks: bool,
    by_groups: bool,
) -> Tensor:
    """The kernel of `scaled_dot_product_attention` that torch takes."""
    mask = _masked(plan) if masks else 0
    if not plan.card:
        # A processor's kernel works in registers, whatever the heads and masks, but
        # knows no dropout (ATen/native/transformers/sdp_utils_cpp.h,
        # `check_for_dropout`).
        if heads.drops and tape.learns and tape.drops_out:
            return _math(tape, plan, heads, inputs, by_groups=by_groups)
        return _fused(tape, plan, heads, inputs, mask)
    is_half = inputs[0].width < FP32
    if plan.flash and is_half and not masks and heads.width <= _FLASH_HEAD:
        return _fused(tape, plan, heads, inputs, None)
    if (is_half and not plan.is_half and not plan.flash) or by_groups:
        return _math(tape, plan, heads, inputs, by_groups=by_groups)
    return _fused(tape, plan, heads, inputs, mask)


def _masked(plan: Plan) -> int:
    """Entries of a mask: of each row its own, or one for all."""
    return plan.extent.pairs if plan.masks else plan.extent.square


def _repeated(tape: Tape, heads: Heads, x: Tensor, *, copies: bool = False) -> Tensor:
    """`repeat_kv`: each key head once for every query head of its group.

    A single head is seen as often as there are queries, and not copied, but where that
    `copies` what it sees.
    """
    groups = heads.queries // heads.keys
    if groups == 1:
        return x
    storage, is_view = x.storage, heads.keys == 1 and not copies
    if not is_view:
        storage = tape.storage(x.count * groups * x.width)
    made = Tensor(storage, x.count * groups, x.width, strided=is_view)
    if x.node is not None:
        made.node = tape.node(partial(_repeated_back, groups), (x.node,))
    return made


def _repeated_back(groups: int, tape: Tape, node: Node) -> None:
    grad = node.received()
    made = tape.new(grad.count // groups, grad.width)
    made.strided = True
    del grad
    tape.give(node.inputs[0], made)


def _fused(
    tape: Tape,
    plan: Plan,
    heads: Heads,
    inputs: tuple[Tensor, Tensor, Tensor],
    masked: int | None,
) -> Tensor:
    """A fused kernel; its mask's entries, of which FlashAttention has none: None."""
    bias, flash = None, masked is None
    if masked:
        bias = tape.new(masked, inputs[0].width)
    made = tape.new(inputs[0].count, inputs[0].width)
    rows = plan.extent.tokens
    if not flash and plan.card:
        rows = plan.extent.padded_to(_STATISTICS_ROWS)
        if heads.width > _WIDE_OUTPUT and made.width < FP32:
            inside = tape.new(made.count, 4, ATTENTION)
            del inside
    sums = tape.new(heads.queries * rows, 4)
    if inputs[0].node is not None or inputs[1].node is not None:
        query, key, value = inputs
        kept = bias, key, sums, made_kept(made), query, value
        nodes = query.node, key.node, value.node
        sizes = [(x.count, x.width) for x in inputs]
        del query, key, value
        meta = (plan.extent, heads, flash, plan.card, sizes)
        made.node = tape.node(partial(_fused_back, meta), nodes, kept)
    return made


def _fused_back(
    meta: tuple[Extent, Heads, bool, bool, list[tuple[int, int]]],
    tape: Tape,
    node: Node,
) -> None:
    kept = node.ending()
    grad = node.received()
    extent, heads, flash, is_card, sizes = meta
    grads = [tape.new(*each) for each in sizes]
    inner = (_inside_flash if flash else _inside_efficient)(
        extent, heads, grads[0].width, grads[1].count
    )
    inside = [tape.storage(size, ATTENTION) for size in inner if is_card]
    del inside, kept, grad
    for each in (2, 1, 0):
        tape.give(node.inputs[each], grads.pop())


def _inside_flash(
    extent: Extent, heads: Heads, width: int, key_entries: int
) -> list[int]:
    rows = heads.queries * extent.padded_to(_FLASH_ROWS)
    inside = [4 * rows, 4 * rows * _up(heads.width, _FLASH_WIDTH)]
    if heads.keys != heads.queries:
        copies = heads.queries // heads.keys * key_entries * width
        inside += [copies, copies]
    return inside


def _inside_efficient(
    extent: Extent, heads: Heads, width: int, _key_entries: int
) -> list[int]:
    rows, is_half = heads.queries * extent.tokens, width < FP32
    across = heads.queries * _up(heads.width, _TILE)
    workspace = extent.padded_to(_TILE) * across
    if is_half and heads.width > _TILE:
        workspace += extent.padded_to(2 * _TILE) * 2 * across
    inside = [4 * rows, 4 * workspace]
    if not is_half:
        inside.append(4 * rows * heads.width)
    return inside


def _eager(
    tape: Tape,
    plan: Plan,
    heads: Heads,
    streams: tuple[Tensor, Tensor, Tensor],
    seen: list[Tensor],
) -> Tensor:
    """`eager_attention_forward` of transformers."""
    query, key, value = streams
    key, value = _repeated(tape, heads, key), _repeated(tape, heads, value)
    pairs = heads.queries * plan.extent.pairs
    width = query.width
    if heads.keys < heads.queries and plan.autocast and width != plan.compute:
        key.strided = value.strided = False  # to cast a head seen often copies it
    scores = scaled(tape, _matmul(tape, plan, query, key, pairs))
    if heads.caps:
        scores = scaled(tape, scores)
        scores = tanh(tape, scores)
        scores = scaled(tape, scores)
    scores = shifted(tape, scores)
    wide = FP32 if plan.widens or not heads.half_softmax else width
    # fp16 becomes fp32 within the kernel (ATen/native/SoftMax.cpp).
    within = plan.is_half and scores.width < FP32
    shares = softmax(tape, scores, wide, copies=wide != scores.width and not within)
    shares = cast(tape, shares, width)
    del scores  # its name is given to the shares
    if heads.drops:
        shares = dropped(tape, shares)
    seen.append(shares)
    return _contiguous(tape, _matmul(tape, plan, shares, value, query.count))


def _contiguous(tape: Tape, x: Tensor) -> Tensor:
    made = tape.new(x.count, x.width)
    if x.node is not None:
        made.node = tape.node(_as_it_is_back, (x.node,))
    return made


def _as_it_is_back(tape: Tape, node: Node) -> None:
    grad = node.received()
    grad.strided = True
    tape.give(node.inputs[0], grad)


def _matmul(
    tape: Tape,
    plan: Plan,
    one: Tensor,
    two: Tensor,
    count: int,
    *,
    casts: bool = True,
) -> Tensor:
    """A product for each head; `casts` where autocast may.

    Heads that lie in the rows of several texts are copied to lie in a row of their own
    (ATen/native/LinearAlgebra.cpp, `matmul`, by `reshape`).
    """
    copies = plan.extent.several
    if plan.autocast and casts:
        two = cast(tape, two, plan.compute)
        one = cast(tape, one, plan.compute)
    if copies:
        one, two = (copied(tape, x) if x.strided else x for x in (one, two))
    node = None
    if one.node is not None or two.node is not None:
        nodes = (one.node, two.node)
        back = partial(_matmul_back, one.count, two.count, copies)
        node = tape.node(back, nodes, (two, one))
    made = tape.new(count, one.width)
    made.node = node
    return made


def _matmul_back(first: int, second: int, copies: bool, tape: Tape, node: Node) -> None:
    grad = node.received()
    if copies and grad.strided:
        grad = tape.new(grad.count, grad.width)
    kept = node.ending()
    other = tape.new(second, grad.width)
    one = tape.new(first, grad.width)
    other.strided = one.strided = True
    del kept, grad
    tape.give(node.inputs[1], other)
    del other
    tape.give(node.inputs[0], one)


def _math(
    tape: Tape,
    plan: Plan,
    heads: Heads,
    inputs: tuple[Tensor, Tensor, Tensor],
    *,
    by_groups: bool,
) -> Tensor:
    """`_scaled_dot_product_attention_math`: every score, half precision in fp32."""
    width = inputs[0].width
    wide = query, key, value = [cast(tape, x, FP32) for x in inputs]
    del inputs
    query = scaled(tape, query)
    mask = tape.new(_masked(plan), FP32)
    if by_groups:  # else each query has its key already
        # torch's own `repeat_interleave` copies a single head, too
        # (ATen/native/transformers/attention.cpp,
        # `pre_process_group_query_attention_input`).
        key = _repeated(tape, heads, key, copies=True)
        value = _repeated(tape, heads, value, copies=True)
    pairs = heads.queries * plan.extent.pairs
    scores = shifted(
        tape, _matmul(tape, plan, query, scaled(tape, key), pairs, casts=False)
    )
    # `_safe_softmax` puts its shares into a new tensor where a row is masked whole.
    inside = tape.new(pairs, FP32, ATTENTION), tape.new(pairs, 1, ATTENTION)
    shares = softmax(tape, scores, FP32, copies=False)
    del scores, inside
    if heads.drops:
        shares = dropped(tape, shares)
    told = cast(tape, made_kept(shares), width)  # the shares, which nobody asked for
    made = cast(
        tape, _matmul(tape, plan, shares, value, query.count, casts=False), width
    )
    del mask, told, wide, query, key, value, shares
    return _contiguous(tape, made)


def _up(amount: int, step: int) -> int:
    return -(-amount // step) * step
