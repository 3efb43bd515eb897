"""A decoder: its blocks, and what surrounds them."""

from dataclasses import dataclass, replace

from studio.domain.decoder.block import Activation, Block

Kinds = tuple[tuple[Block, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """A decoder as its family builds it.

    Attributes:
        kinds: Blocks and how many there are of each.
        positions: Rows of a table of learnt positions; 0 for none.
        scales_embedding: Whether embeddings are multiplied by a number, beside the
            module that makes them.
        scales_inside: Whether that module multiplies them itself.
        head_steps: Operators that change the logits before the loss.
        tables: Bytes of tables that the model keeps.
        drops_embedding: Whether they are dropped at random in training.
        tied: Whether the head shares the embedding's matrix, if the config is silent.
        fused_attention: Whether it runs by torch's fused attention at all.
    """

    kinds: Kinds
    positions: int = 0
    scales_embedding: bool = False
    scales_inside: bool = False
    head_steps: int = 0
    tables: int = 0
    drops_embedding: bool = False
    tied: bool = False
    fused_attention: bool = True

    def with_activation(self, activation: Activation) -> "Decoder":
        """The same with such a function in its blocks."""
        kinds = tuple(
            (replace(block, activation=activation), n) for block, n in self.kinds
        )
        return replace(self, kinds=kinds)

    @property
    def windows(self) -> frozenset[int]:
        """How far back blocks look, in tokens; 0 is to the beginning."""
        return frozenset(block.window for block, _ in self.kinds)
