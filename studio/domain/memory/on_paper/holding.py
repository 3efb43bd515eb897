"""What torch's allocator holds for a whole run, stage by stage on paper.

Blocks that one stage leaves free serve the next only where they fit, so all stages are
replayed in the order of a run: the weights arrive, the model is measured and asked, and
two optimizer steps are taken, of which the second finds the states of the first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import prod

from studio.domain.architecture import ModelArchitecture
from studio.domain.decoder.block import Block, LinearShape
from studio.domain.decoder.vision import Tower
from studio.domain.memory.allocator import LARGEST_SMALL
from studio.domain.memory.on_paper.extent import Extent
from studio.domain.memory.on_paper.linear import QUANTIZATION_BLOCK
from studio.domain.memory.on_paper.passing import Passing
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.record import Record
from studio.domain.memory.on_paper.reserving import (
    ONE_BY_ONE,
    Live,
    Part,
    Places,
    Pools,
)
from studio.domain.memory.on_paper.run import Step
from studio.domain.memory.on_paper.stepping import Stepping, take_step
from studio.domain.memory.on_paper.tape import BF16, FP32
from studio.domain.memory.on_paper.weights import (
    expert_adapters,
    held_tensors,
    layer_adapters,
    resting_tensors,
    rounded,
)
from studio.domain.recipe_options import Attention

# Names by whose order attention's weights are loaded before the feed-forward block's,
# and the head behind all blocks (transformers sorts by name).
_ATTENTION_FIRST = frozenset({"c_attn", "query_key_value"})
_NONE = Extent.of(0, 0)  # weights arrive alike for all batches

# Of a pass as `on_paper/run.py` cuts it.
_Parts = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """What decides the order of a run up to its first optimizer step, beside its plan.

    Attributes:
        warms_up: Room for all weights is made before they are loaded.
        asides: Before the first step: a measurement and answers, which keep keys.
        step: A forward and a backward pass.
        workspace: Bytes of a cuBLAS handle.
    """

    warms_up: bool
    asides: tuple[Passing, ...]
    step: Step
    workspace: int


def reserved_bytes(
    model: ModelArchitecture, plan: Plan, run: Run, stepping: Stepping
) -> int:
    """What the allocator holds at the highest."""
    pools, gradients = kept(model, plan, run).state(model, plan, run)
    is_new = take_step(pools, model, plan, stepping, is_first=True)
    _end(pools, gradients)
    asked = run.step.reference
    # Small states change little; what is large, or much, finds other blocks free.
    if is_new or asked or stepping.holds_much:
        later = replace(run, workspace=0)
        gradients = _passes(pools, plan, later, _all_parts(run.step))
        take_step(pools, model, plan, stepping, is_first=False)
        _end(pools, gradients)
    most = max(each.bytes for each in run.step.highest.values())
    for passing in run.asides:
        if passing.bytes > most:  # after training the states lie in its way
            _forward(pools, _parts(passing), 0)
    return pools.reserved


class Kept:
    """What a run comes to before its first optimizer step, once it is asked again.

    To copy it takes a while, which only other optimizers for the same run are worth.
    """

    __slots__ = ("_state", "_was_asked")

    def __init__(self) -> None:
        self._was_asked = False
        self._state: tuple[Pools, Live] | None = None

    def state(
        self, model: ModelArchitecture, plan: Plan, run: Run
    ) -> tuple[Pools, Live]:
        """Pools to go on from, and the gradients that stand there."""
        if self._state is None:
            pools, gradients = _passed(model, plan, run)
            if self._was_asked:
                self._state = pools.copied(gradients)
            self._was_asked = True
            return pools, gradients
        pools, gradients = self._state
        return pools.copied(gradients)


@lru_cache(maxsize=4)
def kept(_model: ModelArchitecture, _plan: Plan, _run: Run) -> Kept:
    """What is kept of a run."""
    return Kept()


def _passed(model: ModelArchitecture, plan: Plan, run: Run) -> tuple[Pools, Live]:
    """A run up to its first optimizer step, and the gradients that stand there."""
    alike = replace(
        plan,
        extent=_NONE,
        compute=0,
        dropout=False,
        masks=False,
        attention=Attention.EAGER,
        flash=False,
        adds=False,
    )
    pools, _ = loaded(model, alike, warms_up=run.warms_up).copied()
    for place, aside in enumerate(run.asides):
        _forward(pools, _parts(aside), 0 if place else run.workspace)
    return pools, _passes(pools, plan, run, _all_parts(run.step))


def _all_parts(step: Step) -> tuple[_Parts, _Parts]:
    """Those of a step, and those of the base alone if it is asked."""
    asked = step.reference
    return parts_of(step.tape), _parts(asked) if asked else ()


def _end(pools: Pools, standing: Live) -> None:
    for places in standing.values():
        pools.end(places)


def _passes(pools: Pools, plan: Plan, run: Run, passes: tuple[_Parts, _Parts]) -> Live:
    """A step's passes, and those of the base alone, which is asked then if it is.

    Returns:
        The gradients.
    """
    (*_, turned, back, again), _ = passes
    own = 0 if run.asides else run.workspace  # else this thread has had its products
    live = pools.replay(turned, _ahead(pools, passes, own))
    if run.workspace:
        pools.stand(run.workspace)  # of the thread that goes backward
    gradients = pools.replay(back, live)
    if plan.adds:
        pools.replay(again, _ahead(pools, passes, 0))
    return gradients


def _ahead(pools: Pools, passes: tuple[_Parts, _Parts], workspace: int) -> Live:
    """A forward pass, and behind it the base's alone where that is asked.

    It is the same in each micro-batch.
    """
    own, asked = passes
    live = _forward(pools, own, workspace)
    if asked:
        _forward(pools, asked, 0)
    return live


def _parts(passing: Passing) -> _Parts:
    assert passing.tape is not None
    return parts_of(passing.tape)


@lru_cache(maxsize=16)  # a run comes back to its passes, with other optimizers, too
def parts_of(tape: Record) -> _Parts:
    """A tape's parts, read once."""
    return tape.parts()


def _forward(pools: Pools, parts: _Parts, workspace: int) -> Live:
    """Replay a pass; the first product of a thread makes its workspace."""
    before, behind, *_ = parts
    live = pools.replay(before)
    if workspace:
        pools.stand(workspace)
    return pools.replay(behind, live)


@lru_cache(maxsize=8)  # a change of rows, attention or optimizer leaves it as it is
def loaded(model: ModelArchitecture, plan: Plan, *, warms_up: bool) -> Pools:
    """Weights in the order of their names, then adapters."""
    pools = Pools()
    matrix = model.vocabulary * model.hidden * plan.load
    positions = model.decoder.positions * model.hidden * plan.load
    ends = [matrix] if model.tied else [matrix, matrix]
    if warms_up:
        room = sum(ends) + positions
        for block, count in model.decoder.kinds:
            room += min(count, ONE_BY_ONE) * _announced(block, plan)
        pools.end(pools.stand(room))
    head_last = _attention_first(model) and not model.tied
    plain = [(size, pools.stand(size)) for size in ends[head_last:]]
    outer = len(plain)
    for block, count in model.decoder.kinds:
        plain += _load_blocks(pools, block, count, plan, warms_up=warms_up)
    _load_tower(pools, model.tower, plan, warms_up=warms_up)
    # Positions ("wpe") stand behind the blocks ("h").
    for size in ([matrix] if head_last else []) + [positions]:
        plain.append((size, pools.stand(size)))
    if plan.plain != plan.load:
        for size, places in plain:  # cast to fp32
            pools.stand(size // plan.load * plan.plain)
            pools.end(places)
    if plan.norms != plan.load:
        pools.empty()
    pools.stand(model.decoder.tables)
    beside = plain[:outer] + (plain[-2:-1] if head_last else [])
    _load_adapters(pools, model, plan, beside if plan.embeddings_beside else [])
    return pools


def _load_adapters(
    pools: Pools,
    model: ModelArchitecture,
    plan: Plan,
    beside: Sequence[tuple[int, Places]],
) -> None:
    """Adapters come to be, and weights beside them become wider: size and place."""
    casts = list(_attach_all(pools, model, plan))
    for size, places in beside if plan.plain < FP32 else ():
        pools.stand(size // plan.load * FP32)
        pools.end(places)
    for width in _recast(plan) if casts else ():
        for place, (entries, places) in enumerate(casts):
            casts[place] = entries, pools.stand(entries * width)
            pools.end(places)
    for entries, count in resting_tensors(model, plan):
        pools.stand(entries * plan.adapter, count)


def _attach_all(
    pools: Pools, model: ModelArchitecture, plan: Plan
) -> Iterator[tuple[int, Places]]:
    """Adapters of linear layers in all blocks, then those of mixtures.

    Large ones leave free blocks behind in every block of the model, where what comes
    later lies: each is placed by itself.

    Yields:
        Entries of a large one, and where it is.
    """
    for adapters in (layer_adapters, expert_adapters):
        for block, count in model.decoder.kinds:
            matrices = tuple(map(prod, adapters(block, plan)))
            if FP32 * max(matrices, default=0) <= LARGEST_SMALL:
                for entries in matrices:
                    pools.stand(entries * plan.adapter, count)
                continue
            for _ in range(count):
                for pair in zip(matrices[::2], matrices[1::2], strict=True):
                    yield from zip(pair, _attached(pools, plan, pair), strict=True)


def _recast(plan: Plan) -> list[int]:
    """Bytes of an entry of adapters, as often as they are cast once attached."""
    widths, now = [], plan.load
    if plan.quantizes and (plan.is_half or plan.load == FP32):
        widths.append(now := BF16)  # trl trainer/sft_trainer.py:908
    return widths if plan.adapter == now else [*widths, plan.adapter]


def _attached(pools: Pools, plan: Plan, entries: tuple[int, int]) -> list[Places]:
    """An adapter is made in fp32, and cast to the base's format.

    peft 0.21, tuners/tuners_utils.py, `_move_adapter_to_device_of_base_layer`.
    """
    made = [pools.stand(FP32 * each) for each in entries]
    if plan.load == FP32:
        return made
    left = []
    for each, places in zip(entries, made, strict=True):
        left.append(pools.stand(plan.load * each))
        pools.end(places)
    return left


def _load_tower(
    pools: Pools, tower: Tower | None, plan: Plan, *, warms_up: bool
) -> None:
    if tower is None:
        return
    tensors = [(plan.load * entries, count) for entries, count in tower.others]
    for linear, count in tower.linears:
        tensors += [(size, count) for size in held_tensors(linear, plan, plan.load)]
    if warms_up:
        pools.fill(sum(count * rounded(size) for size, count in tensors))
        return
    for size, count in tensors:
        pools.stand(size, count)


def _attention_first(model: ModelArchitecture) -> bool:
    block = model.decoder.kinds[0][0]
    return any(linear.name in _ATTENTION_FIRST for linear in block.entry)


def _announced(block: Block, plan: Plan) -> int:
    """Bytes that `caching_allocator_warmup` of transformers expects of a block."""
    width = 0.5 if plan.four_bit else 1 if plan.eight_bit else plan.load
    packed = sum(int(linear.weights * width) for linear in block.linears)
    return packed + plan.load * sum((*block.vectors, *block.expert_tensors))


def _load_blocks(
    pools: Pools, block: Block, count: int, plan: Plan, *, warms_up: bool
) -> list[tuple[int, Places]]:
    """Returns what isn't quantised: bytes of each tensor, and where it is."""
    few = min(count, ONE_BY_ONE)
    # Of experts "down_proj" comes first, then "gate_up_proj"; the router is behind.
    matrices = reversed(block.expert_tensors)
    others = [plan.load * each for each in (*block.vectors, *matrices)]
    plain = []
    for _ in range(few):
        plain += [(size, pools.stand(size)) for size in others]
        for linear in _in_loading_order(block):
            _load_linear(pools, linear, plan)
    more = count - few
    tensors = [*others]
    for linear in block.linears:
        tensors += held_tensors(linear, plan, plan.load)
    if warms_up:
        pools.fill(more * sum(rounded(size) for size in tensors))
        return plain
    for size in tensors:
        pools.stand(size, more)
    return plain


def _in_loading_order(block: Block) -> Iterator[LinearShape]:
    attention = sorted((*block.entry, block.out), key=lambda each: each.name)
    forward = [*block.up, *([block.down] if block.down else [])]
    forward.sort(key=lambda each: each.name)
    first = block.entry[0].name in _ATTENTION_FIRST
    yield from (*attention, *forward) if first else (*forward, *attention)


def _load_linear(pools: Pools, linear: LinearShape, plan: Plan) -> None:
    """A matrix arrives as it is, and is packed (bitsandbytes functional.py)."""
    tensors = held_tensors(linear, plan, plan.load)
    if not plan.quantizes:
        pools.stand(tensors[0])
        return
    arrived = [pools.stand(linear.weights * (2 if plan.eight_bit else plan.load))]
    pools.stand(tensors[0])
    if plan.four_bit and plan.double_quant:
        scales = FP32 * -(-linear.weights // QUANTIZATION_BLOCK)
        arrived += [pools.stand(scales), pools.stand(scales)]
    for size in tensors[1:]:
        pools.stand(size)
    for places in reversed(arrived):
        pools.end(places)
