"""What passes while an optimizer takes its step, beside gradients and states."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from studio.domain.architecture import ModelArchitecture
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.reserving import Places, Pools
from studio.domain.memory.on_paper.tape import FP32
from studio.domain.memory.on_paper.weights import (
    Shape,
    block_tensors,
    in_their_widths,
    outer_tensors,
    rounded,
    state_tensors,
)
from studio.domain.train_options import (
    FACTORED_OPTIMIZERS,
    GROUPED_OPTIMIZERS,
    Optimizer,
)

# Tensors that come together, such as those of a block, and how often.
Group = Sequence[tuple[tuple[Shape, ...], int]]


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

    def finds_others(self, plan: Plan) -> bool:
        """Whether a second step finds other blocks free than the first."""
        if self.optimizer in FACTORED_OPTIMIZERS:
            return False
        is_large = plan.trains_base or plan.embeddings_beside
        return is_large or self.optimizer is Optimizer.ADAMW_FOREACH


def temporaries(model: ModelArchitecture, plan: Plan, stepping: Stepping) -> int:
    """Bytes of what passes by, at the highest."""
    if not stepping.holds_much:
        return 0
    groups = _groups(model, plan, stepping)
    if stepping.optimizer is Optimizer.ADAMW_FOREACH:
        return max(
            sum(n * rounded(size) for size, n in _roots(g, plan)) for g in groups
        )
    return _factored(groups, plan)


def take_step(
    pools: Pools,
    model: ModelArchitecture,
    plan: Plan,
    stepping: Stepping,
    *,
    is_first: bool,
) -> None:
    """The optimizer's states come to be, and its temporaries come and go."""
    for found, width in in_their_widths(model, plan) if is_first else ():
        shape, count, embeds = found
        kept, _ = state_tensors(shape, width, stepping.optimizer, embeds=embeds)
        for size in kept:
            pools.stand(size, count)
    if not stepping.holds_much:
        return
    groups = _groups(model, plan, stepping)
    if stepping.optimizer is Optimizer.ADAMW_FOREACH:
        for group in groups:
            _end(pools, [pools.stand(*each) for each in _roots(group, plan)])
        return
    _step_factored(pools, groups, plan)


def _groups(model: ModelArchitecture, plan: Plan, stepping: Stepping) -> list[Group]:
    """The trained tensors group by group, which an optimizer steps one by one.

    Vectors, which don't decay, are behind matrices (transformers/trainer.py,
    `create_optimizer`).
    """
    blocks = [(block_tensors(x, plan), count) for x, count in model.decoder.kinds]
    if not plan.trains_base:
        if not stepping.apart:
            return [blocks]
        return [[(shapes[b::2], n) for shapes, n in blocks] for b in (0, 1)]
    first, *others = ((each,) for each in outer_tensors(model, plan))
    whole = [(first, 1), *blocks, *((each, 1) for each in others)]
    matrices = [(tuple(x for x in shapes if len(x) > 1), n) for shapes, n in whole]
    vectors = [(tuple(x for x in shapes if len(x) == 1), n) for shapes, n in whole]
    return [matrices, vectors]


def _roots(group: Group, plan: Plan) -> list[tuple[int, int]]:
    """Bytes of the square roots of second moments, and how many there are at once.

    torch optim/adam.py:762.
    """
    return [(prod(x) * plan.adapter, n) for shapes, n in group for x in shapes]


def _factored(groups: Sequence[Group], plan: Plan) -> int:
    """Bytes that Adafactor's step passes through at the highest.

    A gradient's square, and the same with a little added, meet what the tensor before
    was changed by (transformers/optimization.py, `Adafactor.step`).
    """
    order = [0, *(FP32 * prod(shape) for shape in _in_turn(groups))]
    here = 2 + _copies(plan)
    return max(
        here * rounded(each) + rounded(before) for before, each in pairwise(order)
    )


def _in_turn(groups: Sequence[Group]) -> Iterator[Shape]:
    """Tensors as they are stepped; of equal blocks two, which meet."""
    for group in groups:
        for shapes, count in group:
            yield from shapes * min(count, 2)


def _copies(plan: Plan) -> int:
    """How many FP32 copies a step makes of a tensor: of its gradient and of itself."""
    return 0 if plan.adapter == FP32 else 2


def _step_factored(pools: Pools, groups: Sequence[Group], plan: Plan) -> None:
    update: Places = 0
    copies: list[Places] = [0] * _copies(plan)
    for shape in _in_turn(groups):
        size = FP32 * prod(shape)
        for place, copy in enumerate(copies):
            pools.end(copy)
            copies[place] = pools.stand(size)
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
