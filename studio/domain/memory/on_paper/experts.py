"""A mixture of experts as transformers computes it: all chosen pairs in one product.

transformers 5.23, integrations/moe.py, `grouped_mm_experts_forward`. On a card without
that product `grouped_mm_fallback` goes from expert to expert, keeps its inputs, and
makes the gradient of all weights even where nobody asks for it. An adapter of an expert
isn't applied to the inputs: peft adds its product to a copy of all experts' weights,
whose gradient is as large again (tuners/lora/layer.py, `ParamWrapper`).
"""

from dataclasses import dataclass
from functools import partial

from studio.domain.decoder.block import Block
from studio.domain.memory.on_paper.operators import cast, scaled
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.tape import FP32, Node, Tape
from studio.domain.memory.on_paper.tensors import Tensor
from studio.domain.memory.part_names import GRADIENTS


@dataclass(frozen=True, slots=True)
class _Sizes:
    """What a pass through the experts is made of, in entries and bytes."""

    tokens: int
    pairs: int
    hidden: int
    inner: int
    width: int
    entry: int
    shares: int
    up: int
    down: int
    load: int
    rank: int
    count: int
    merges: bool
    trains: bool
    loops: bool
    casts: bool

    @property
    def learns(self) -> bool:
        """Whether the weights get a gradient."""
        return self.merges or self.trains or self.loops


def mixed(tape: Tape, plan: Plan, block: Block, x: Tensor) -> Tensor:
    """What the chosen experts make of each token, weighted and added up."""
    sizes = _sizes_of(plan, block, x)
    routed = cast(tape, Tensor(x.storage, x.count, x.width), sizes.width)
    if x.node is None or tape.drops:
        routed = x
    low_down, low_up = _tried(tape, sizes)
    wide = tape.new(sizes.pairs * sizes.hidden, x.width)
    up_weights = tape.new(sizes.up, sizes.load) if sizes.merges else None
    picked = cast(tape, wide, sizes.width)
    both = tape.new(sizes.pairs * 2 * sizes.inner, sizes.width)
    gate = tape.new(sizes.pairs * sizes.inner, sizes.width)
    made = tape.new(sizes.pairs * sizes.inner, sizes.width)
    inside: tuple[Tensor | None, ...] = both, gate
    kept: tuple[Tensor | None, ...] = (routed, picked, made) if sizes.learns else ()
    del both, gate, routed
    if x.node is None or tape.drops:
        inside, kept = (None, None), (None,) * len(kept)
        del picked
    down_weights = tape.new(sizes.down, sizes.load) if sizes.merges else None
    out = tape.new(sizes.pairs * sizes.hidden, sizes.width)
    del made
    weighted = tape.new(sizes.pairs * sizes.hidden, sizes.shares)
    node = None
    if x.node is not None:
        stays = (low_up, low_down, *kept, up_weights, *inside, down_weights, out)
        node = tape.node(partial(_mixed_back, sizes), (x.node,), stays)
        del stays
    del inside, kept
    ordered = tape.new(sizes.pairs * sizes.hidden, sizes.shares)
    del weighted
    summed = tape.new(sizes.tokens * sizes.hidden, sizes.shares)
    total = cast(tape, summed, x.width)
    del wide, out, ordered, summed, up_weights, down_weights, low_up, low_down
    return Tensor(total.storage, total.count, total.width, node)


def _sizes_of(plan: Plan, block: Block, x: Tensor) -> _Sizes:
    experts = block.experts
    assert experts is not None
    tokens = x.count // block.hidden
    _router, up, down = block.expert_tensors
    return _Sizes(
        tokens=tokens,
        pairs=tokens * experts.chosen,
        hidden=block.hidden,
        inner=experts.inner,
        width=plan.compute if plan.autocast else x.width,
        entry=x.width,
        shares=FP32 if experts.wide_shares else plan.compute,
        up=up,
        down=down,
        load=plan.plain,
        rank=plan.rank,
        count=experts.count,
        merges=plan.adapts_experts,
        trains=plan.trains_base,
        loops=not plan.groups,
        casts=plan.autocast and plan.adapter != plan.compute,
    )


def _tried(tape: Tape, sizes: _Sizes) -> tuple[Tensor | None, Tensor | None]:
    """Adapters in the format of products, and the weights that torch tries once."""
    if not sizes.merges:
        return None, None
    found: list[Tensor | None] = []
    each = sizes.rank * sizes.count
    ups = 4 * each * sizes.inner, 2 * each * sizes.hidden
    for weights, parts in (
        (sizes.down, (each * sizes.hidden, each * sizes.inner)),
        (sizes.up, ups),
    ):
        casts = [tape.storage(n * sizes.width) for n in parts if sizes.casts]
        tape.new(weights, sizes.load)
        found.append(Tensor(casts, 0, 0))
    return found[0], found[1]


def _mixed_back(sizes: _Sizes, tape: Tape, node: Node) -> None:
    grad = node.received()
    pairs, hidden, inner = sizes.pairs, sizes.hidden, sizes.inner
    grad = cast(tape, grad, sizes.shares)
    spread = tape.new(pairs * hidden, sizes.shares)
    del grad
    kept = list(node.taken())
    placed = tape.new(pairs * hidden, sizes.shares)
    del spread
    of_shares = tape.new(pairs * hidden, sizes.shares)
    grad = tape.new(pairs * hidden, sizes.shares)
    kept.pop()  # what the experts made
    grad = cast(tape, grad, sizes.width)
    del of_shares, placed
    made, down = _product_back(tape, sizes, pairs * inner, sizes.down)
    if sizes.learns:
        kept[4] = None
    kept.pop()  # the weights that led out of them
    del grad
    each = sizes.rank * sizes.count
    later = _low_rank(tape, sizes, each, inner, hidden, down)
    kept[1] = None
    del down
    of_up = tape.new(pairs * inner, sizes.width)
    of_gate = tape.new(pairs * inner, sizes.width)
    kept.pop()
    del made
    by_gate = tape.new(pairs * inner, sizes.width)
    kept.pop()
    del of_gate
    both = tape.new(pairs * 2 * inner, sizes.width)
    del by_gate, of_up
    picked, up = _product_back(tape, sizes, pairs * hidden, sizes.up)
    entry = kept[2] if sizes.learns else None
    if sizes.learns:
        kept[3] = None  # before the weights
    del kept[1:], both
    picked = cast(tape, picked, sizes.entry)
    pending = _low_rank(tape, sizes, 2 * each, hidden, 2 * inner, up) + later
    kept.clear()
    del up, later
    made = tape.new(sizes.tokens * hidden, sizes.entry)
    del picked
    _end(tape, sizes, pending)
    by_router = tape.new(sizes.tokens * hidden, sizes.width)
    del entry
    by_router = cast(tape, by_router, sizes.entry)
    del by_router  # added to what was picked
    tape.give(node.inputs[0], made)


def _product_back(
    tape: Tape, sizes: _Sizes, inputs: int, weights: int
) -> tuple[Tensor, Tensor | None]:
    """The gradients of a product's inputs and weights, in the order they are made."""
    if sizes.loops:
        made = tape.new(inputs, sizes.width)
        return made, _of_weights(tape, sizes, weights)
    of_weights = _of_weights(tape, sizes, weights)
    return tape.new(inputs, sizes.width), of_weights


def _end(tape: Tape, sizes: _Sizes, pending: list[tuple[Tensor, bool]]) -> None:
    """Adapters' gradients in their own format and order."""
    while pending:
        made, is_second = pending.pop(0)
        if sizes.casts:
            made = tape.new(made.count, FP32, GRADIENTS)
        if is_second:
            made = tape.new(made.count, made.width, GRADIENTS)
        tape.gradients.append(made)


def _of_weights(tape: Tape, sizes: _Sizes, entries: int) -> Tensor | None:
    """The gradient of all experts' weights."""
    if not sizes.learns:
        return None
    made = tape.new(entries, sizes.load, GRADIENTS if sizes.trains else "")
    if sizes.trains:
        tape.gradients.append(made)
    return made


def _low_rank(
    tape: Tape, sizes: _Sizes, each: int, inputs: int, outputs: int, of: Tensor | None
) -> list[tuple[Tensor, bool]]:
    """From the weights' gradient to the adapter's two matrices.

    Returns:
        What isn't in its own format or order yet, and whether it is the second matrix.
    """
    if of is None or not sizes.merges:
        return []
    second = scaled(tape, tape.new(each * outputs, sizes.width))
    first = scaled(tape, tape.new(each * inputs, sizes.width))
    if sizes.casts:
        return [(first, False), (second, True)]
    tape.rename(first, GRADIENTS)
    tape.gradients.append(first)
    return [(second, True)]
