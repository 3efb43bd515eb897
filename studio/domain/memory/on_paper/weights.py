"""What stands from loading on: weights, adapters, gradients and optimizer states.

Every tensor is a block of its own, which the allocator rounds to 512 bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from studio.domain.architecture import ModelArchitecture
from studio.domain.decoder.block import Block, LinearShape
from studio.domain.memory.on_paper.linear import QUANTIZATION_BLOCK
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.tape import BLOCK, FP32
from studio.domain.train_options import (
    EIGHT_BIT_OPTIMIZERS,
    FACTORED_OPTIMIZERS,
    LIONS,
    PAGED_OPTIMIZERS,
    Optimizer,
)

NESTED_BLOCK = 256  # bitsandbytes functional.py:938
EIGHT_BIT_BLOCK = 256  # bitsandbytes optim/optimizer.py:414
EIGHT_BIT_LEAST = 4096  # tensors below keep 32-bit states, same file
PAGED_LEAST = 100_000  # bitsandbytes optim/optimizer.py:374
_CODES = 16 * 4  # the four-bit code table
_NESTED_CODES = 256 * 4

# Of Phi-3 attention, whose output comes first (modeling_phi3.py, `Phi3Attention`).
_BEHIND_OUT = "qkv_proj"

Shape = tuple[int, ...]
"""A tensor's sizes, as torch has them: outputs before inputs."""


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
    linears, others = list(model.linears()), []
    for block, count in model.decoder.kinds:
        entries = (*block.vectors, *block.expert_tensors)
        others += [(each, count) for each in entries]
    if model.tower is not None:
        linears += model.tower.linears
        others += model.tower.others
    matrices = scales = 0
    for linear, count in linears:
        matrix, beside = held(linear, plan, width)
        matrices += count * matrix
        scales += count * beside
    plain = sum(count * rounded(width * each) for each, count in others)
    plain += around(model, width)
    if plan.quantizes:
        return Weights(matrices, scales, plain)
    return Weights(0, scales, matrices + plain)


def resting_tensors(model: ModelArchitecture, plan: Plan) -> Iterator[tuple[int, int]]:
    """Entries of each adapter matrix on a vision part, and how often it is there.

    Without a picture they get no gradients, and so no optimizer states.
    """
    if model.tower is None or plan.trains_base:
        return
    for linear, count in model.tower.linears:
        if plan.adapts(linear):
            yield plan.rank * linear.inputs, count
            yield plan.rank * linear.outputs, count


def widened_norms(model: ModelArchitecture, plan: Plan) -> int:
    """Bytes that norms' vectors gain where they alone are cast to another format."""
    gained = 0
    for block, count in (*model.decoder.kinds, (None, 1)):
        vectors = model.last_norm if block is None else norm_vectors(block)
        for entries in vectors:
            wide, plain = rounded(plan.norms * entries), rounded(plan.plain * entries)
            gained += count * (wide - plain)
    return gained


def around(model: ModelArchitecture, width: int) -> int:
    """Embedding, head, positions and the last norm."""
    matrix = rounded(model.vocabulary * model.hidden * width)
    total = matrix * (1 if model.tied else 2)
    total += rounded(model.decoder.positions * model.hidden * width)
    return total + sum(rounded(width * entries) for entries in model.last_norm)


def held(linear: LinearShape, plan: Plan, width: int) -> tuple[int, int]:
    """Bytes of a linear layer's matrix, and of the constants beside it."""
    matrix, *beside = map(rounded, held_tensors(linear, plan, width))
    return matrix, sum(beside)


def held_tensors(linear: LinearShape, plan: Plan, width: int) -> list[int]:
    """Bytes of a linear layer's matrix, and of each constant beside it."""
    weights = linear.weights
    if plan.eight_bit:
        return [weights, 4 * linear.outputs]
    if not plan.four_bit:
        return [weights * width]
    return _four_bit_tensors(weights, double_quant=plan.double_quant)


def _four_bit_tensors(weights: int, *, double_quant: bool) -> list[int]:
    """As `quantize_4bit` makes them (bitsandbytes functional.py)."""
    packed, blocks = -(-weights // 2), -(-weights // QUANTIZATION_BLOCK)
    if not double_quant:
        return [packed, 4 * blocks, _CODES]
    nested = 4 * -(-blocks // NESTED_BLOCK)
    return [packed, _CODES, 4, blocks, nested, _NESTED_CODES]


def four_bit_bytes(weights: int, *, double_quant: bool) -> tuple[int, int]:
    """Bytes of a tensor in four bits, and of the constants beside it."""
    tensors = _four_bit_tensors(weights, double_quant=double_quant)
    packed, *beside = map(rounded, tensors)
    return packed, sum(beside)


def adapter_tensors(block: Block, plan: Plan) -> Iterator[Shape]:
    """Each adapter matrix of a block; A and B take turns."""
    yield from layer_adapters(block, plan)
    yield from expert_adapters(block, plan)


def layer_adapters(block: Block, plan: Plan) -> Iterator[Shape]:
    """Those of linear layers."""
    for linear in block.linears:
        if plan.adapts(linear):
            yield plan.rank, linear.inputs
            yield linear.outputs, plan.rank


def expert_adapters(block: Block, plan: Plan) -> tuple[Shape, ...]:
    """Those of a mixture, which are attached once all linear layers have theirs.

    The router's, and of each expert: gate and up share one of twice the rank.

    peft 0.21, tuners/lora/layer.py, `ParamWrapper`.
    """
    experts, rank, hidden = block.experts, plan.rank, block.hidden
    if experts is None or not plan.adapts_experts:
        return ()
    each = rank * experts.count
    router = (rank, hidden), (experts.count, rank)
    up = (2 * each, hidden), (2 * experts.inner, 2 * each)
    matrices = *up, (each, experts.inner), (hidden, each)
    return (*matrices, *router) if experts.router_last else (*router, *matrices)


def block_tensors(block: Block, plan: Plan) -> tuple[Shape, ...]:
    """Each trained tensor of a block, in the order of its parameters."""
    if not plan.trains_base:
        return tuple(adapter_tensors(block, plan))
    linears = list(block.linears)
    if linears[0].name == _BEHIND_OUT:
        linears[:2] = linears[1::-1]
    matrices = ((x.outputs, x.inputs) for x in linears)
    vectors = ((entries,) for entries in block.vectors)
    return (*matrices, *vectors, *_expert_shapes(block))


def _expert_shapes(block: Block) -> tuple[Shape, ...]:
    """Of what `Block.expert_tensors` counts."""
    experts, hidden = block.experts, block.hidden
    if experts is None:
        return ()
    router = experts.count, hidden
    up = experts.count, 2 * experts.inner, hidden
    matrices = up, (experts.count, hidden, experts.inner)
    return (*matrices, router) if experts.router_last else (router, *matrices)


def outer_tensors(model: ModelArchitecture, plan: Plan) -> tuple[Shape, ...]:
    """Each trained tensor outside the blocks; embeddings first."""
    if not plan.trains_base:
        return ()
    matrix = model.vocabulary, model.hidden
    positions = model.decoder.positions, model.hidden
    matrices = [matrix, *([positions] if prod(positions) else [])]
    norms = ((entries,) for entries in model.last_norm)
    return (*matrices, *([] if model.tied else [matrix]), *norms)


def norm_vectors(block: Block) -> tuple[int, ...]:
    """Entries of a block's norms' vectors, without the layers' biases."""
    biases = sum(linear.bias for linear in block.linears)
    return block.vectors[: len(block.vectors) - biases]


def beside_tensors(
    model: ModelArchitecture, plan: Plan
) -> Iterator[tuple[Shape, int, bool]]:
    """What is trained beside adapters, in fp32; as `trained_tensors` has it."""
    if plan.embeddings_beside:
        yield (model.vocabulary, model.hidden), 1, True
    if plan.norms_beside:
        for block, count in model.decoder.kinds:
            yield from (((entries,), count, False) for entries in norm_vectors(block))
        yield from (((entries,), 1, False) for entries in model.last_norm)
    if plan.embeddings_beside and not model.tied:
        yield (model.vocabulary, model.hidden), 1, False


def replaced_bytes(model: ModelArchitecture, plan: Plan) -> int:
    """What the same took in the base."""
    found = beside_tensors(model, plan)
    return sum(n * rounded(plan.plain * prod(shape)) for shape, n, _ in found)


def widening_bytes(model: ModelArchitecture, plan: Plan) -> int:
    """The matrix that still stands when the last one beside adapters becomes FP32."""
    if not plan.embeddings_beside or plan.plain >= FP32:
        return 0
    return rounded(model.vocabulary * model.hidden * plan.load)


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


def trained_tensors(
    model: ModelArchitecture, plan: Plan
) -> Iterator[tuple[Shape, int, bool]]:
    """Each trained tensor, how often it is there, whether it embeds."""
    outer = outer_tensors(model, plan)
    embeddings = (2 if model.decoder.positions else 1) if outer else 0
    for shape in outer[:embeddings]:
        yield shape, 1, True
    for block, count in model.decoder.kinds:
        for shape in block_tensors(block, plan):
            yield shape, count, False
    for shape in outer[embeddings:]:
        yield shape, 1, False


def in_their_widths(
    model: ModelArchitecture, plan: Plan
) -> Iterator[tuple[tuple[Shape, int, bool], int]]:
    """All that is trained, with bytes of an entry; embeddings first."""
    yield from ((each, FP32) for each in beside_tensors(model, plan))
    yield from ((each, plan.adapter) for each in trained_tensors(model, plan))


def trained(model: ModelArchitecture, plan: Plan, optimizer: Optimizer) -> Trained:
    """Everything that is trained, in all blocks."""
    weights = states = paged = 0
    for found, width in in_their_widths(model, plan):
        shape, count, embeds = found
        kept, moved = state_tensors(shape, width, optimizer, embeds=embeds)
        weights += count * rounded(prod(shape) * width)
        states += count * sum(kept)
        paged += count * moved
    return Trained(weights, states, paged)


def state_tensors(
    shape: Shape, width: int, optimizer: Optimizer, *, embeds: bool = False
) -> tuple[tuple[int, ...], int]:
    """Bytes of each state of a tensor in torch's allocator, and of paged ones.

    transformers/trainer.py keeps embeddings' states in 32 bits.
    """
    entries = prod(shape)
    if optimizer in FACTORED_OPTIMIZERS:
        return (BLOCK, *_factored(shape)), 0
    if optimizer not in EIGHT_BIT_OPTIMIZERS | PAGED_OPTIMIZERS | LIONS:
        # A step count for each tensor stands beside its states.
        state = rounded(entries * width)
        return (BLOCK, state, state), 0
    count = 1 if optimizer in LIONS else 2
    beside: tuple[int, ...] = ()
    state = rounded(4 * entries)
    if optimizer in EIGHT_BIT_OPTIMIZERS and not embeds and entries >= EIGHT_BIT_LEAST:
        state = rounded(entries)
        beside = (rounded(4 * -(-entries // EIGHT_BIT_BLOCK)),) * count
    if optimizer in PAGED_OPTIMIZERS and entries >= PAGED_LEAST:
        exact = entries if state < 4 * entries else 4 * entries
        return beside, count * exact
    return (*(state,) * count, *beside), 0


def _factored(shape: Shape) -> tuple[int, ...]:
    """Bytes of a mean for each row and for each column; of vectors, one an entry.

    transformers/optimization.py, `Adafactor`; in 32 bits, with a number beside them.
    """
    if len(shape) == 1:
        return (rounded(4 * shape[0]),)
    *batch, rows, columns = shape
    return tuple(rounded(4 * prod(batch) * each) for each in (rows, columns))


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
