"""What passes while an optimizer takes its step, beside gradients and states."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod

from studio.domain.architecture import ModelArchitecture
from studio.domain.memory.allocator import LARGEST_SMALL
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.reserving import ONE_BY_ONE, Places, Pools
from studio.domain.memory.on_paper.tape import FP32
from studio.domain.memory.on_paper.weights import (
    Shape,
    beside_tensors,
    block_tensors,
    in_their_widths,
    outer_tensors,
    rounded,
    state_tensors,
)
from studio.domain.train_options import (
    GROUPED_OPTIMIZERS,
    Optimizer,
)

Sized = tuple[Shape, int]
"""A tensor's sizes, and bytes of an entry."""

# Tensors that come together, such as those of a block, and how often.
Group = Sequence[tuple[tuple[Sized, ...], int]]


@dataclass(frozen=True, slots=True)
class Stepping:
    """How steps are taken.

    Attributes:
        optimizer: That takes them.
        apart: Whether the adapter's B matrices have groups of their own.
    """

    optimizer: Optimizer
    apart: bool = False

    @property
    def holds_much(self) -> bool:
        """Whether more passes by than a few small tensors."""
        return self.optimizer in GROUPED_OPTIMIZERS


def temporaries(model: ModelArchitecture, plan: Plan, stepping: Stepping) -> int:
    """Bytes of what passes by, at the highest."""
    if not stepping.holds_much:
        return 0
    groups = _groups(model, plan, stepping)
    if stepping.optimizer is Optimizer.ADAMW_FOREACH:
        at_once = (sum(n * rounded(size) for size, n in x) for x in _roots(groups))
        return max(at_once, default=0)
    return _factored(groups)


def take_step(
    pools: Pools,
    model: ModelArchitecture,
    plan: Plan,
    stepping: Stepping,
    *,
    is_first: bool,
) -> bool:
    """The optimizer's states come to be, and its temporaries come and go.

    Returns:
        Whether large states came to be, so that a next step finds other blocks free.
    """
    is_large = is_first and _remember(pools, model, plan, stepping.optimizer)
    if stepping.holds_much:
        _pass(pools, _groups(model, plan, stepping), stepping)
    return is_large


def _remember(
    pools: Pools, model: ModelArchitecture, plan: Plan, optimizer: Optimizer
) -> bool:
    """States come to be, block by block; whether any is large."""
    are_large = False
    found = in_their_widths(model, plan)
    for count, tensors in groupby(found, key=lambda each: each[0][1]):
        kept = [
            size
            for (shape, _, embeds), width in tensors
            for size in state_tensors(shape, width, optimizer, embeds=embeds)[0]
        ]
        few = 0
        if max(kept, default=0) > LARGEST_SMALL:
            are_large, few = True, min(count, ONE_BY_ONE)
        for size in kept * few:
            pools.stand(size)
        for size in kept:
            pools.stand(size, count - few)
    return are_large


def _pass(pools: Pools, groups: list[Group], stepping: Stepping) -> None:
    """Temporaries come and go."""
    if stepping.optimizer is Optimizer.ADAMW_FOREACH:
        for roots in _roots(groups):
            made = [pools.stand(*each) for each in roots]
            _end(pools, made[::-1])  # a list lets its last one go first
        return
    _step_factored(pools, groups)


def _groups(model: ModelArchitecture, plan: Plan, stepping: Stepping) -> list[Group]:
    """The trained tensors group by group, which an optimizer steps one by one.

    Vectors, which don't decay, are behind matrices (transformers/trainer.py,
    `create_optimizer`), and B matrices apart behind all others.
    """
    blocks = [
        (tuple((shape, plan.adapter) for shape in block_tensors(block, plan)), count)
        for block, count in model.decoder.kinds
    ]
    others = [(((shape, plan.adapter),), 1) for shape in outer_tensors(model, plan)]
    others += [(((x, FP32),), n) for x, n, _ in beside_tensors(model, plan)]
    first, last = others[:1], others[1:]
    if not stepping.apart:
        whole = [*first, *blocks, *last]
        return [_only(whole, matrices=True), _only(whole, matrices=False)]
    ours = [[(tensors[b::2], count) for tensors, count in blocks] for b in (0, 1)]
    whole = [*first, *ours[0], *last]
    return [_only(whole, matrices=True), _only(whole, matrices=False), ours[1]]


def _only(group: Group, *, matrices: bool) -> Group:
    """Those of a group's tensors that have rows and columns, or those that haven't."""
    return [
        (tuple(each for each in tensors if (len(each[0]) > 1) is matrices), count)
        for tensors, count in group
    ]


def _roots(groups: Sequence[Group]) -> Iterator[list[tuple[int, int]]]:
    """Bytes of second moments' square roots, and how many, as they stand at once.

    Those of a group that have the same format (torch optim/adam.py:762), block by
    block.
    """
    for group in groups:
        found = [
            (shape, width, n)
            for tensors, count in group
            for repeats, n in _singly(count)
            for shape, width in tensors * repeats
        ]
        for width in dict.fromkeys(w for _, w, _ in found):
            yield [(prod(shape) * w, n) for shape, w, n in found if w == width]


def _singly(count: int) -> Iterator[tuple[int, int]]:
    """How often a block's tensors are placed one by one, and the rest of them."""
    few = min(count, ONE_BY_ONE)
    yield few, 1
    if count > few:
        yield 1, count - few


def _factored(groups: Sequence[Group]) -> int:
    """Bytes that Adafactor's step passes through at the highest.

    A gradient's square, and the same with a little added, meet what the tensor before
    was changed by (transformers/optimization.py, `Adafactor.step`).
    """
    most = before = 0
    for shape, width in _in_turn(groups):
        size = rounded(FP32 * prod(shape))
        most = max(most, (2 + _copies(width)) * size + before)
        before = size
    return most


def _in_turn(groups: Sequence[Group]) -> Iterator[Sized]:
    """Tensors as they are stepped; of equal blocks two, which meet."""
    for group in groups:
        for tensors, count in group:
            yield from tensors * min(count, 2)


def _copies(width: int) -> int:
    """How many FP32 copies a step makes of a tensor: of its gradient and of itself."""
    return 0 if width == FP32 else 2


def _step_factored(pools: Pools, groups: Sequence[Group]) -> None:
    update: Places = 0
    copies: list[Places] = [0, 0]
    for shape, width in _in_turn(groups):
        size = FP32 * prod(shape)
        for place, copy in enumerate(copies):
            pools.end(copy)
            copies[place] = pools.stand(size) if _copies(width) else 0
        square, sum_ = pools.stand(size), pools.stand(size)
        _end(pools, [square, update])
        product = pools.stand(size)
        _end(pools, [sum_])
        _end(pools, [pools.stand(size)])  # the negative of the change
        update = product
    _end(pools, [*copies, update])


def _end(pools: Pools, places: Sequence[Places]) -> None:
    for each in places:
        pools.end(each)
