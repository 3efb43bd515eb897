"""A decoder block in the numbers and habits that decide its memory."""

from dataclasses import dataclass
from enum import Enum, auto


class Norm(Enum):
    """How a family normalises a row."""

    RMS = auto()  # weight * x.to(the input's format)
    RMS_LATE = auto()  # the weight's product is cast, not its factor
    RMS_NAMED = auto()  # the same, where a name holds the factor until it returns
    LAYER = auto()  # torch's layer norm


class Residual(Enum):
    """Where norms stand and what is added to the residual stream."""

    BEFORE = auto()  # x + f(norm(x))
    BEHIND = auto()  # x + norm(f(x))
    AROUND = auto()  # x + norm(f(norm(x)))
    PARALLEL = auto()  # x + f(norm(x)) + g(norm(x)), two norms
    SHARED = auto()  # the same with one norm for both


class QueryNorm(Enum):
    """Norms of queries and keys."""

    NONE = auto()
    HEAD = auto()  # of each head
    HEAD_TURNED = auto()  # of each head, behind the transposition
    WHOLE = auto()  # of all heads together


class Views(Enum):
    """When rows come to be seen as heads, which copies their gradient on its way."""

    EACH = auto()  # each of queries, keys and values at once
    LATE = auto()  # when all three are there
    WHOLE = auto()  # the fused tensor, before it is cut
    QUERY = auto()  # queries alone; keys and values have one head


class Names(Enum):
    """What the names in a block's `forward` hold beside its residual stream."""

    NOTHING = auto()
    HALVES = auto()  # what goes into a half until it is added, and attention's output
    ALL = auto()  # attention's input and output, until the block is done


class Activation(Enum):
    """The feed-forward block's nonlinear function, by the kernels that it takes."""

    KERNEL = auto()  # one, which keeps what goes in
    FROM_OUTPUT = auto()  # one, which keeps what comes out
    COMPOSED = auto()  # GELU of GPT-2, written out in Python
    FAST = auto()  # the same without a power, of GPT-NeoX 20B
    QUICK = auto()  # by a sigmoid


@dataclass(frozen=True, slots=True)
class LinearShape:
    """A linear layer of a block.

    Attributes:
        name: Of its module.
        inputs: Width of what goes in.
        outputs: Width of what comes out.
        bias: Whether it adds one.
        attends: Whether it belongs to attention.
    """

    name: str
    inputs: int
    outputs: int
    bias: bool = False
    attends: bool = False

    @property
    def weights(self) -> int:
        """Entries of its matrix."""
        return self.inputs * self.outputs


@dataclass(frozen=True, slots=True)
class Heads:
    """The shape of attention.

    Attributes:
        queries: Query heads.
        keys: Key and value heads.
        width: Of a head.
        rotary: Entries of a head that positions rotate; 0 for none.
        joins: Whether the rest of a head is joined to the rotated part.
        joins_each: Whether queries are joined before keys are rotated.
        drops: Whether probabilities are dropped at random in training.
        caps: Whether scores are capped by a hyperbolic tangent.
        half_softmax: Whether probabilities are computed in the scores' format.
        wide_turns: Whether positions rotate in fp32.
        names_parts: Whether names hold the rotated parts until attention is done.
    """

    queries: int
    keys: int
    width: int
    rotary: int
    joins: bool = False
    joins_each: bool = False
    drops: bool = False
    caps: bool = False
    half_softmax: bool = False
    wide_turns: bool = False
    names_parts: bool = False


@dataclass(frozen=True, slots=True)
class Experts:
    """A mixture of gated experts in place of a feed-forward block.

    transformers 5 holds all experts' matrices in two tensors of three dimensions, which
    bitsandbytes doesn't quantise.

    Attributes:
        count: Experts.
        chosen: For each token.
        inner: Width of an expert.
        wide_shares: Whether the experts' shares stay in fp32.
        router_last: Whether the router's parameters stand behind the experts'.
    """

    count: int
    chosen: int
    inner: int
    wide_shares: bool
    router_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One decoder block.

    Attributes:
        hidden: Width of the residual stream.
        heads: Of attention.
        norm: Its kind.
        norm_bias: Whether norms add one.
        residual: Where norms stand.
        query_norm: Of queries and keys.
        entry: Layers that make queries, keys and values: three, or a fused one.
        out: The layer behind attention.
        up: Layers into the feed-forward block: gate and up, a fused one, or one.
        down: The layer out of it; None with experts.
        gated: Whether one half is multiplied with the other.
        activation: Between.
        scales_residual: Whether what is added is multiplied by a number.
        drops_residual: Whether what is added is dropped at random in training.
        names: What the names in its code hold.
        experts: In place of the feed-forward block; None without.
        window: Tokens that attention looks back on; 0 for all.
        slices: Whether the fused entry is cut by slices.
        views: When rows come to be seen as heads.
    """

    hidden: int
    heads: Heads
    norm: Norm
    norm_bias: bool = False
    residual: Residual
    query_norm: QueryNorm = QueryNorm.NONE
    entry: tuple[LinearShape, ...]
    out: LinearShape
    up: tuple[LinearShape, ...]
    down: LinearShape | None
    gated: bool = True
    activation: Activation = Activation.KERNEL
    scales_residual: bool = False
    drops_residual: bool = False
    names: Names = Names.NOTHING
    experts: Experts | None = None
    window: int = 0
    slices: bool = False
    views: Views = Views.EACH

    @property
    def linears(self) -> tuple[LinearShape, ...]:
        """Its linear layers, in the order of a forward pass."""
        behind = (self.down,) if self.down else ()
        return (*self.entry, self.out, *self.up, *behind)

    @property
    def names_fused(self) -> bool:
        """Whether attention has a name for what a fused entry makes, until it is done.

        Phi-3's `qkv`, and GPT-NeoX' (models/*/modeling_*.py of transformers 5.23).
        """
        return self.slices or self.views is Views.WHOLE

    @property
    def expert_tensors(self) -> tuple[int, ...]:
        """Entries of the router, of all gates and ups, and of all downs."""
        experts = self.experts
        if experts is None:
            return ()
        matrix = experts.count * experts.inner * self.hidden
        return experts.count * self.hidden, 2 * matrix, matrix

    @property
    def norm_vectors(self) -> int:
        """Vectors of a norm: weights, and biases where it has them."""
        return 2 if self.norm_bias else 1

    @property
    def vectors(self) -> tuple[int, ...]:
        """Entries of its norms' and biases' vectors."""
        heads = self.heads
        norms = {Residual.AROUND: 4, Residual.SHARED: 1}.get(self.residual, 2)
        found = [self.hidden] * norms * self.norm_vectors
        if self.query_norm in {QueryNorm.HEAD, QueryNorm.HEAD_TURNED}:
            found += [heads.width] * 2
        elif self.query_norm is QueryNorm.WHOLE:
            found += [heads.queries * heads.width, heads.keys * heads.width]
        return (*found, *(x.outputs for x in self.linears if x.bias))
