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
from studio.domain.memory.on_paper.operators import cast
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.tape import FP32, Node, Tape, Tensor
from studio.domain.memory.part_names import GRADIENTS


@dataclass(frozen=True, slots=True)
class _Sizes:
    """What a pass through the experts is made of, in entries and bytes."""

    tokens: int
    pairs: int
    hidden: int
    inner: int
    width: int
    shares: int
    up: int
    down: int
    load: int
    rank: int
    count: int
    merges: bool
    trains: bool
    loops: bool

    @property
    def learns(self) -> bool:
        """Whether the weights get a gradient."""
        return self.merges or self.trains or self.loops


def mixed(tape: Tape, plan: Plan, block: Block, x: Tensor) -> Tensor:
    """What the chosen experts make of each token, weighted and added up."""
    sizes = _sizes_of(plan, block, x)
    picked = tape.new(sizes.pairs * sizes.hidden, x.width)
    up_weights = tape.new(sizes.up, sizes.load) if sizes.merges else None
    both = tape.new(sizes.pairs * 2 * sizes.inner, x.width)
    gate = tape.new(sizes.pairs * sizes.inner, x.width)
    made = tape.new(sizes.pairs * sizes.inner, x.width)
    inside: tuple[Tensor | None, Tensor | None] = both, gate
    del both, gate
    if x.node is None or tape.drops:
        inside = None, None
    down_weights = tape.new(sizes.down, sizes.load) if sizes.merges else None
    out = tape.new(sizes.pairs * sizes.hidden, x.width)
    kept = (x, picked, made) if sizes.learns else ()
    del made
    weighted = tape.new(sizes.pairs * sizes.hidden, sizes.shares)
    node = None
    if x.node is not None:
        stays = (*kept, up_weights, *inside, down_weights, out)
        node = tape.node(partial(_mixed_back, sizes), (x.node,), stays)
        del stays
    del inside, kept
    ordered = tape.new(sizes.pairs * sizes.hidden, sizes.shares)
    del weighted
    total = cast(tape, tape.new(sizes.tokens * sizes.hidden, sizes.shares), x.width)
    del ordered, picked, up_weights, down_weights, out
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
        width=x.width,
        shares=FP32 if experts.wide_shares else x.width,
        up=up,
        down=down,
        load=plan.plain,
        rank=plan.rank,
        count=experts.count,
        merges=plan.adapts_experts,
        trains=plan.trains_base,
        loops=not plan.groups,
    )


def _mixed_back(sizes: _Sizes, tape: Tape, node: Node) -> None:
    grad = node.received()
    pairs, hidden, inner = sizes.pairs, sizes.hidden, sizes.inner
    if sizes.shares != sizes.width:
        grad = tape.new(sizes.tokens * hidden, sizes.shares)
    spread = tape.new(pairs * hidden, sizes.shares)
    kept = list(node.taken())
    del grad
    zeros = tape.new(pairs * hidden, sizes.shares)
    placed = tape.new(pairs * hidden, sizes.shares)
    del zeros, spread
    of_shares = tape.new(pairs * hidden, sizes.shares)
    grad = tape.new(pairs * hidden, sizes.shares)
    kept.pop()  # what the experts made
    grad = cast(tape, grad, sizes.width)
    del of_shares, placed
    made, down = _product_back(tape, sizes, pairs * inner, sizes.down)
    kept.pop()  # the weights that led out of them
    del grad
    if sizes.learns:
        kept[2] = None
    low_down = _low_rank(tape, sizes, sizes.rank * sizes.count, inner, hidden, down)
    del down
    of_up = tape.new(pairs * inner, sizes.width)
    of_gate = tape.new(pairs * inner, sizes.width)
    kept.pop()
    del made
    of_gate = tape.new(pairs * inner, sizes.width)
    kept.pop()
    both = tape.new(pairs * 2 * inner, sizes.width)
    del of_gate, of_up
    picked, up = _product_back(tape, sizes, pairs * hidden, sizes.up)
    kept.clear()
    del both
    each = 2 * sizes.rank * sizes.count
    low_up = _low_rank(tape, sizes, each, hidden, 2 * inner, up)
    del up
    zeros = tape.new(sizes.tokens * hidden, sizes.width)
    made = tape.new(sizes.tokens * hidden, sizes.width)
    del zeros, picked, low_up, low_down
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
) -> Tensor | None:
    """From the weights' gradient to the adapter's two matrices."""
    if of is None or not sizes.merges:
        return None
    grads = [tape.new(each * n, sizes.load, GRADIENTS) for n in (outputs, inputs)]
    tape.gradients += grads
    return grads[0]
