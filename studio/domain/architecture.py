"""A model's shape, as its config.json tells it, in the numbers that memory needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from studio.domain.decoder.activations import activation_of, unknown_activation
from studio.domain.decoder.block import Block, LinearShape
from studio.domain.decoder.config import Config
from studio.domain.decoder.decoder import Decoder
from studio.domain.decoder.expert_counts import impossible_experts
from studio.domain.decoder.families import FAMILIES
from studio.domain.decoder.head_counts import impossible_heads
from studio.domain.decoder.purposes import purpose_refused
from studio.domain.decoder.unknown_words import unknown_words
from studio.domain.decoder.vision import Tower, tower_of
from studio.domain.errors import StudioError, refusal
from studio.domain.finding import Finding

_USUAL_VOCABULARY = {"gemma3_text": 262_208}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelArchitecture:
    """A decoder's shape.

    Attributes:
        family: ``model_type`` of the config.
        decoder: Its blocks and what surrounds them.
        vocabulary: Rows of the embedding.
        tied: Whether the output head shares the embedding's matrix.
        context: Longest sequence it was made for, in tokens.
        tower: A vision part that is loaded with it; None without one.
    """

    family: str
    decoder: Decoder
    vocabulary: int
    tied: bool
    context: int
    tower: Tower | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> Self:
        """Read the shape from the decoded config.json.

        Raises:
            StudioError: The family's shape isn't known to the formula, a number is
                missing, or it is refused (`config_refusal`).
        """
        text = Config.of(config)
        family = text.family
        if not family:
            raise refusal(
                "model.config",
                "A model whose config names no “model_type” can’t be priced yet.",
                fix="Choose another model, or fetch this one again.",
                where="config.json",
            )
        refused = config_refusal(config)
        if refused is not None:
            raise StudioError(refused)
        if family not in FAMILIES:
            raise refusal(
                "model.architecture",
                f"Models of the kind “{family}” can’t be priced yet.",
                fix="They can still be trained; watch the memory of the first steps.",
                where="config.json",
            )
        decoder = FAMILIES[family](text)
        has_experts = any(block.experts for block, _ in decoder.kinds)
        activation = activation_of(text, has_experts=has_experts)
        decoder = decoder.with_activation(activation)
        usual = _USUAL_VOCABULARY.get(family, 0)
        return cls(
            family=family,
            decoder=decoder,
            vocabulary=text.whole("vocab_size", default=usual),
            tied=text.flag("tie_word_embeddings", default=decoder.tied),
            context=text.whole("max_position_embeddings", "n_positions", default=2048),
            tower=tower_of(config, decoder.kinds[0][0].hidden),
        )

    @property
    def hidden(self) -> int:
        """Width of the residual stream."""
        return self.decoder.kinds[0][0].hidden

    @property
    def layers(self) -> int:
        """Decoder blocks."""
        return sum(count for _, count in self.decoder.kinds)

    @property
    def has_experts(self) -> bool:
        """Whether any block chooses among experts."""
        return any(block.expert_tensors for block, _ in self.decoder.kinds)

    @property
    def linear_weights(self) -> int:
        """Entries of all blocks' linear layers: what quantisation shrinks."""
        return sum(
            count * sum(linear.weights for linear in block.linears)
            for block, count in self.decoder.kinds
        )

    @property
    def other_weights(self) -> int:
        """Entries of embedding, head, norms and biases: never quantised."""
        matrices = self.vocabulary * (1 if self.tied else 2) + self.decoder.positions
        blocks = sum(
            count * (sum(block.vectors) + sum(block.expert_tensors))
            for block, count in self.decoder.kinds
        )
        return matrices * self.hidden + blocks + sum(self.last_norm)

    @property
    def last_norm(self) -> tuple[int, ...]:
        """Entries of the vectors of the norm in front of the head."""
        return (self.hidden,) * self.decoder.kinds[0][0].norm_vectors

    @property
    def parameters(self) -> int:
        """All weights of the language model."""
        return self.linear_weights + self.other_weights

    def linears(self) -> tuple[tuple[LinearShape, int], ...]:
        """Linear layers, and how many blocks have each."""
        return tuple((x, n) for block, n in self.decoder.kinds for x in block.linears)


def config_refusal(config: Mapping[str, object]) -> Finding | None:
    """Why no model that answers can be made of a decoded config.json; None if one can.

    Heads and experts of families that the formula doesn't know aren't judged.
    """
    refused = purpose_refused(config)
    if refused is not None:
        return refused
    text = Config.of(config)
    if text.family not in FAMILIES:
        return None
    impossible = impossible_heads(text) or impossible_experts(text)
    return impossible or unknown_activation(text) or unknown_words(text)


__all__ = ["Block", "LinearShape", "ModelArchitecture"]
