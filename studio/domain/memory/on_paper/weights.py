"""What stands from loading on: weights, adapters, gradients and optimizer states.

Every tensor is a block of its own, which the allocator rounds to 512 bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from studio.domain.architecture import ModelArchitecture
from studio.domain.decoder.block import Block, Experts, LinearShape
from studio.domain.memory.on_paper.linear import QUANTIZATION_BLOCK
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.tape import BLOCK
from studio.domain.recipe_options import Optimizer

NESTED_BLOCK = 256  # bitsandbytes functional.py:938
EIGHT_BIT_BLOCK = 256  # bitsandbytes optim/optimizer.py:414
EIGHT_BIT_LEAST = 4096  # tensors below keep 32-bit states, same file
PAGED_LEAST = 100_000  # bitsandbytes optim/optimizer.py:374
_CODES = 16 * 4  # the four-bit code table
_NESTED_CODES = 256 * 4
_EIGHT_BIT = frozenset({Optimizer.ADAMW_8BIT, Optimizer.PAGED_ADAMW_8BIT})
_PAGED = frozenset({Optimizer.PAGED_ADAMW_8BIT, Optimizer.PAGED_ADAMW_32BIT})


def rounded(size: int) -> int:
    """A tensor's block."""
    return -(-size // BLOCK) * BLOCK


@dataclass(frozen=True, slots=True)
class Weights:
    """The base's bytes, by what they are."""

    quantized: int
    scales: int
    plain: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.quantized + self.scales + self.plain


def base_weights(model: ModelArchitecture, plan: Plan, width: int) -> Weights:
    """The loaded base; `width` is that of an entry that isn't quantised."""
    quantized = scales = plain = 0
    for block, count in model.decoder.kinds:
        for linear in block.linears:
            packed, beside = held(linear, plan, width)
            if plan.quantizes:
                quantized += count * packed
            else:
                plain += count * packed
            scales += count * beside
        others = (*block.vectors, *block.expert_tensors)
        plain += count * sum(rounded(width * entries) for entries in others)
    return Weights(quantized, scales, plain + around(model, width))


def around(model: ModelArchitecture, width: int) -> int:
    """Embedding, head, positions and the last norm."""
    matrix = rounded(model.vocabulary * model.hidden * width)
    total = matrix * (1 if model.tied else 2)
    total += rounded(model.decoder.positions * model.hidden * width)
    return total + sum(rounded(width * entries) for entries in model.last_norm)


def held(linear: LinearShape, plan: Plan, width: int) -> tuple[int, int]:
    """Bytes of a linear layer's matrix, and of the constants beside it."""
    weights = linear.weights
    if plan.eight_bit:
        return rounded(weights), rounded(4 * linear.outputs)
    if not plan.four_bit:
        return rounded(weights * width), 0
    return four_bit_bytes(weights, double_quant=plan.double_quant)


def four_bit_bytes(weights: int, *, double_quant: bool) -> tuple[int, int]:
    """Bytes of a tensor in four bits, and of the constants beside it.

    bitsandbytes functional.py, `quantize_4bit`.
    """
    blocks = -(-weights // QUANTIZATION_BLOCK)
    if not double_quant:
        beside = rounded(4 * blocks) + rounded(_CODES)
    else:
        nested = rounded(4 * -(-blocks // NESTED_BLOCK)) + rounded(_NESTED_CODES)
        beside = rounded(blocks) + rounded(_CODES) + nested + rounded(4)
    return rounded(-(-weights // 2)), beside


def adapter_tensors(block: Block, plan: Plan) -> Iterator[int]:
    """Entries of each adapter matrix of a block."""
    for linear in block.linears:
        if plan.adapts(linear.name):
            yield plan.rank * linear.inputs
            yield plan.rank * linear.outputs
    if block.experts and plan.adapts_experts:
        yield from _expert_adapters(block.experts, block.hidden, plan.rank)


def _expert_adapters(experts: Experts, hidden: int, rank: int) -> tuple[int, ...]:
    """The router's, and of each expert: gate and up share one of twice the rank.

    peft 0.21, tuners/lora/layer.py, `ParamWrapper`.
    """
    each = rank * experts.count
    router = rank * hidden, each
    up = 2 * each * hidden, 4 * each * experts.inner
    return *router, *up, each * experts.inner, each * hidden


def block_tensors(block: Block, plan: Plan) -> tuple[int, ...]:
    """Entries of each trained tensor of a block."""
    if plan.trains_base:
        matrices = (x.weights for x in block.linears)
        return (*matrices, *block.vectors, *block.expert_tensors)
    return tuple(adapter_tensors(block, plan))


def outer_tensors(model: ModelArchitecture, plan: Plan) -> tuple[int, ...]:
    """Entries of each trained tensor outside the blocks; embeddings first."""
    if not plan.trains_base:
        return ()
    matrix = model.vocabulary * model.hidden
    positions = model.decoder.positions * model.hidden
    matrices = [matrix, *([positions] if positions else [])]
    return (*matrices, *([] if model.tied else [matrix]), *model.last_norm)


@dataclass(frozen=True, slots=True)
class Trained:
    """Bytes of what is trained, and of what that needs.

    Attributes:
        weights: The tensors themselves.
        states: The optimizer's, in torch's allocator.
        paged: Those that the driver moves between card and main memory.
    """

    weights: int
    states: int
    paged: int


def trained(model: ModelArchitecture, plan: Plan, optimizer: Optimizer) -> Trained:
    """Everything that is trained, in all blocks."""
    weights = states = paged = 0
    groups = [(block_tensors(block, plan), n) for block, n in model.decoder.kinds]
    outer = outer_tensors(model, plan)
    embeddings = (2 if model.decoder.positions else 1) if outer else 0
    groups.append((outer[embeddings:], 1))
    for tensors, count in groups:
        for entries in tensors:
            kept, moved = state_bytes(entries, plan.adapter, optimizer)
            weights += count * rounded(entries * plan.adapter)
            states += count * kept
            paged += count * moved
    for entries in outer[:embeddings]:
        # transformers/trainer.py keeps embeddings' states in 32 bits.
        kept, moved = state_bytes(entries, plan.adapter, optimizer, eight_bit=False)
        weights += rounded(entries * plan.adapter)
        states += kept
        paged += moved
    return Trained(weights, states, paged)


def state_bytes(
    entries: int, width: int, optimizer: Optimizer, *, eight_bit: bool = True
) -> tuple[int, int]:
    """Bytes of a tensor's two states: in torch's allocator, and paged."""
    if optimizer not in _EIGHT_BIT | _PAGED:
        # A step count for each tensor stands beside its states.
        return 2 * rounded(entries * width) + BLOCK, 0
    beside, state = 0, rounded(4 * entries)
    if optimizer in _EIGHT_BIT and eight_bit and entries >= EIGHT_BIT_LEAST:
        state = rounded(entries)
        beside = 2 * rounded(4 * -(-entries // EIGHT_BIT_BLOCK))
    if optimizer in _PAGED and entries >= PAGED_LEAST:
        exact = entries if state < 4 * entries else 4 * entries
        return beside, 2 * exact
    return beside + 2 * state, 0


def load_peak(model: ModelArchitecture, plan: Plan) -> int:
    """The highest point of loading: the last matrix on its way, or the room for all.

    Blocks come in order; the last matrices of the last block are its attention's,
    behind those of the feed-forward block.
    """
    base = base_weights(model, plan, plan.load)
    block = model.decoder.kinds[-1][0]
    most = base.total
    if plan.quantizes:
        rest = sum(sum(held(x, plan, plan.load)) for x in (*block.entry, block.out))
        for linear in block.linears[len(block.entry) + 1 :]:
            scales = 8 * -(-linear.weights // QUANTIZATION_BLOCK)
            way = linear.weights * (2 if plan.eight_bit else plan.load)
            inside = 0 if plan.eight_bit or not plan.double_quant else scales
            most = max(most, base.total - rest + way + inside)
    return most
