"""One decoder block of each family, from its input to its output."""

from collections.abc import Callable

from studio.domain.decoder.block import (
    Activation,
    Block,
    Names,
    QueryNorm,
    Residual,
    Views,
)
from studio.domain.memory.on_paper.attention import attended
from studio.domain.memory.on_paper.experts import mixed
from studio.domain.memory.on_paper.linear import linear
from studio.domain.memory.on_paper.norms import normed
from studio.domain.memory.on_paper.operators import (
    activated,
    added,
    cast,
    copied,
    cubed,
    dropped,
    headed,
    multiplied,
    scaled,
    shifted,
    sliced,
    split,
    tanh,
)
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.rotary import rotated
from studio.domain.memory.on_paper.tape import Tape
from studio.domain.memory.on_paper.tensors import Tensor

_NORMED = 2  # queries and keys
_AT_ONCE = frozenset({QueryNorm.HEAD, QueryNorm.WHOLE})

Seen = list[Tensor]  # what a block's own names hold until it is done
Inner = Callable[[Tape, Plan, Block, Tensor, Seen], Tensor]


def passed(tape: Tape, plan: Plan, block: Block, x: Tensor) -> Tensor:
    """What leaves a block."""
    seen: Seen = []
    if block.residual in {Residual.PARALLEL, Residual.SHARED}:
        return _in_parallel(tape, plan, block, x, seen)
    x = _summed(tape, plan, block, x, _attention, seen)
    return _summed(tape, plan, block, x, _feed_forward, seen)


def _summed(
    tape: Tape, plan: Plan, block: Block, x: Tensor, inner: Inner, seen: Seen
) -> Tensor:
    """The residual stream and one half of the block."""
    made = x
    if block.residual is not Residual.BEHIND:
        made = normed(tape, plan, block.norm, made, block.hidden)
    entry = made if block.names is Names.HALVES else None
    is_attention = inner is _attention
    if block.names is Names.ALL and is_attention:
        seen.append(made)
    made = inner(tape, plan, block, made, seen)
    if block.names is Names.ALL or (entry is not None and is_attention):
        seen.append(made)
    if block.residual is not Residual.BEFORE:
        made = normed(tape, plan, block.norm, made, block.hidden)
    if not block.scales_residual:
        return added(tape, x, made)
    return added(tape, x, scaled(tape, made))  # what is scaled has no name


def _in_parallel(tape: Tape, plan: Plan, block: Block, x: Tensor, seen: Seen) -> Tensor:
    entry = normed(tape, plan, block.norm, x, block.hidden)
    first = _attention(tape, plan, block, entry, seen)
    if block.residual is Residual.PARALLEL:
        del entry  # attention's alone, which has no name
        entry = normed(tape, plan, block.norm, x, block.hidden)
    second = _feed_forward(tape, plan, block, entry, seen)
    if block.residual is Residual.PARALLEL:
        del entry
    return added(tape, added(tape, second, first), x)


def _attention(tape: Tape, plan: Plan, block: Block, x: Tensor, seen: Seen) -> Tensor:
    """Queries, keys and values live until all is done, as names in a function do."""
    heads = block.heads
    named: Seen = []
    query, key, value = _streams(tape, plan, block, x, named)
    held: Seen = []
    query, key = rotated(tape, plan, heads, [query, key], held)
    if tape.cached is not None:
        # A cache has its keys' format.
        wide = cast(tape, value, key.width)
        key, value = copied(tape, key), copied(tape, wide)
        del wide
        tape.cached += key, value
    made = attended(tape, plan, block, (query, key, value), seen)
    made = linear(tape, plan, block.out, made)
    if block.drops_residual:
        made = dropped(tape, made)
    return made


def _fused_streams(
    tape: Tape, plan: Plan, block: Block, x: Tensor, named: Seen
) -> list[Tensor]:
    heads = block.heads
    fused = linear(tape, plan, block.entry[0], x)
    if block.names_fused:
        named.append(Tensor(fused.storage, fused.count, fused.width))
    keys = fused.count * heads.keys // (heads.queries + 2 * heads.keys)
    if block.views is Views.WHOLE:
        fused = headed(tape, fused)
    cut = sliced if block.slices else split
    parts = cut(tape, fused, (fused.count - 2 * keys, keys, keys))
    if block.views is Views.QUERY:
        return [headed(tape, parts[0]), *parts[1:]]
    if block.views is Views.LATE:
        return [headed(tape, each) for each in parts]
    for each in parts:
        each.strided = True
    return parts


def _streams(
    tape: Tape, plan: Plan, block: Block, x: Tensor, named: Seen
) -> list[Tensor]:
    """Queries, keys and values, seen as heads; `named` is given what has a name."""
    if len(block.entry) == 1:
        return _fused_streams(tape, plan, block, x, named)
    found: list[Tensor] = []
    for layer in block.entry:
        stream = linear(tape, plan, layer, x)
        if block.views is Views.EACH:
            stream = headed(tape, stream)
        if len(found) < _NORMED and block.query_norm in _AT_ONCE:
            stream = _normed_stream(tape, plan, block, stream)
        found.append(stream)
        del stream
    if block.views is Views.LATE:
        found = [headed(tape, each) for each in found]
    if block.query_norm is QueryNorm.HEAD_TURNED:
        for place in range(_NORMED):
            found[place] = _normed_stream(tape, plan, block, found[place])
    return found


def _normed_stream(tape: Tape, plan: Plan, block: Block, x: Tensor) -> Tensor:
    whole = block.query_norm is QueryNorm.WHOLE
    row = x.count // plan.extent.tokens if whole else block.heads.width
    made = normed(tape, plan, block.norm, x, row)
    made.strided = x.strided
    return made


def _feed_forward(
    tape: Tape, plan: Plan, block: Block, x: Tensor, _seen: Seen
) -> Tensor:
    if block.experts or block.down is None:
        return mixed(tape, plan, block, x)
    if len(block.up) > 1:
        return linear(tape, plan, block.down, _product(tape, plan, block, x))
    made = linear(tape, plan, block.up[0], x)
    if block.gated:
        gate, made = split(tape, made, (made.count // 2, made.count // 2))
        made = multiplied(tape, made, _active(tape, block, gate))
    else:
        made = _active(tape, block, made)
    made = linear(tape, plan, block.down, made)
    if block.drops_residual:
        made = dropped(tape, made)
    return made


def _product(tape: Tape, plan: Plan, block: Block, x: Tensor) -> Tensor:
    """Neither half has a name, so both end with the product, the gate first."""
    return multiplied(
        tape,
        _active(tape, block, linear(tape, plan, block.up[0], x)),
        linear(tape, plan, block.up[1], x),
    )


def _active(tape: Tape, block: Block, x: Tensor) -> Tensor:
    match block.activation:
        case Activation.KERNEL:
            return activated(tape, x)
        case Activation.FROM_OUTPUT:
            return tanh(tape, x)
        case Activation.QUICK:  # x * sigmoid(a * x)
            return multiplied(tape, x, tanh(tape, scaled(tape, x)))
        case _:  # 0.5 * x * (1 + tanh(bent x))
            half = scaled(tape, x)
            bend = _BENT[block.activation]
            return multiplied(tape, half, shifted(tape, tanh(tape, bend(tape, x))))


def _bent(tape: Tape, x: Tensor) -> Tensor:
    """`a * (x + b * x.pow(3))`."""
    return scaled(tape, added(tape, x, scaled(tape, cubed(tape, x))))


def _bent_fast(tape: Tape, x: Tensor) -> Tensor:
    """`a * x * (1 + b * x * x)`."""
    line = scaled(tape, x)
    return multiplied(tape, line, shifted(tape, multiplied(tape, scaled(tape, x), x)))


_BENT = {Activation.COMPOSED: _bent, Activation.FAST: _bent_fast}
