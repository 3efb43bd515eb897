"""A model's shape, as its config.json tells it, in the numbers that memory needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from studio.domain.errors import refusal

# Decoders whose layers are attention with separate (or fused) q, k, v and a gated
# feed-forward block of three matrices; their shapes follow from the config alone.
GATED_DECODERS = frozenset(
    {
        "llama",
        "mistral",
        "qwen2",
        "qwen3",
        "phi3",
        "gemma",
        "gemma2",
        "granite",
        "olmo",
        "olmo2",
        "smollm3",
    }
)


@dataclass(frozen=True, slots=True)
class LinearShape:
    """A linear layer of each block: its name and its two widths."""

    name: str
    inputs: int
    outputs: int

    @property
    def weights(self) -> int:
        """Entries of its matrix."""
        return self.inputs * self.outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelArchitecture:
    """A decoder's shape.

    Attributes:
        family: ``model_type`` of the config.
        hidden: Width of the residual stream.
        layers: Decoder blocks.
        heads: Query heads.
        kv_heads: Key and value heads.
        head_width: Width of one head.
        feed_forward: Inner width of the feed-forward block.
        vocabulary: Rows of the embedding.
        tied: Whether the output head shares the embedding's matrix.
        context: Longest sequence it was made for, in tokens.
    """

    family: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    feed_forward: int
    vocabulary: int
    tied: bool
    context: int

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> Self:
        """Read the shape from the decoded config.json.

        Raises:
            StudioError: The family's shape isn't known to the formula, or a number
                is missing.
        """
        family = str(config.get("model_type", ""))
        if family not in GATED_DECODERS:
            raise refusal(
                "model.architecture",
                f"Models of the kind “{family or 'unknown'}” can’t be priced yet.",
                fix="They can still be trained; watch the memory of the first steps.",
                where="config.json",
            )
        hidden = _whole(config, "hidden_size")
        heads = _whole(config, "num_attention_heads")
        return cls(
            family=family,
            hidden=hidden,
            layers=_whole(config, "num_hidden_layers"),
            heads=heads,
            kv_heads=_whole(config, "num_key_value_heads", heads),
            head_width=_whole(config, "head_dim", hidden // heads),
            feed_forward=_whole(config, "intermediate_size"),
            vocabulary=_whole(config, "vocab_size"),
            tied=bool(config.get("tie_word_embeddings", family.startswith("gemma"))),
            context=_whole(config, "max_position_embeddings", 2048),
        )

    @property
    def query_width(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_width

    @property
    def kv_width(self) -> int:
        """Width of all key heads together; the value heads' is the same."""
        return self.kv_heads * self.head_width

    def linears(self) -> tuple[LinearShape, ...]:
        """The linear layers of one block, unfused."""
        hidden, inner = self.hidden, self.feed_forward
        return (
            LinearShape("q_proj", hidden, self.query_width),
            LinearShape("k_proj", hidden, self.kv_width),
            LinearShape("v_proj", hidden, self.kv_width),
            LinearShape("o_proj", self.query_width, hidden),
            LinearShape("gate_proj", hidden, inner),
            LinearShape("up_proj", hidden, inner),
            LinearShape("down_proj", inner, hidden),
        )

    @property
    def linear_weights(self) -> int:
        """Entries of all blocks' linear layers: what quantisation shrinks."""
        return self.layers * sum(linear.weights for linear in self.linears())

    @property
    def other_weights(self) -> int:
        """Entries of embedding, head and norms: never quantised."""
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        norms = (2 * self.layers + 1) * self.hidden
        return embeddings + norms

    @property
    def parameters(self) -> int:
        """All weights, biases left out."""
        return self.linear_weights + self.other_weights


def _whole(config: Mapping[str, object], key: str, default: int = 0) -> int:
    value = config.get(key) or default
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise refusal(
            "model.config",
            f"The model’s config gives no usable “{key}”.",
            fix="Download the model again, or choose another.",
            where="config.json",
        )
    return value
