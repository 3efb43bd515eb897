"""What a recipe decides for one batch on one device, in bytes and counts."""

from dataclasses import dataclass, replace

from studio.domain.decoder.block import LinearShape
from studio.domain.memory.on_paper.extent import RANK, Extent
from studio.domain.memory.on_paper.tape import FP32
from studio.domain.recipe_options import ATTENTION_ONLY, MLP_ONLY, Attention


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The formats and sizes that operators are written down with.

    Attributes:
        extent: The size of the batch.
        load: Bytes of an entry of weights that aren't quantised.
        plain: The same after another program cast them.
        norms: The same of norms' vectors.
        compute: Bytes of an entry of activations.
        adapter: Bytes of an entry of adapters.
        is_half: Whether activations are fp16.
        autocast: Whether products are cast to the compute format on the way.
        four_bit: Whether linear layers are packed to four bits.
        eight_bit: Whether they are held in eight.
        double_quant: Whether the scales are quantised as well.
        rank: Of the adapters; 0 for none.
        targets: Names of the adapted layers, or the word for a kind; empty for all.
        dropout: Whether adapters drop inputs.
        drops: Whether anything is dropped in training: a reference forbids it.
        attention: The kernel that is asked for.
        masks: Whether a mask is needed.
        packs: Whether each row has positions of its own, which begin anew with each
            text in it.
        flash: Whether the card has FlashAttention.
        groups: Whether torch multiplies by all experts at once.
        card: Whether there is one.
        expands_keys: Grouped keys are copied for the memory-efficient kernel.
        trains_base: Whether the base's own weights are trained.
        norms_beside: Whether its norms are trained beside adapters, in fp32.
        embeddings_beside: The same of its embeddings and its head.
        adds: Whether gradients of an earlier micro-batch stand already.
        noise: Whether noise is added to what is embedded (NEFTune).
    """

    extent: Extent
    load: int
    plain: int
    norms: int
    compute: int
    adapter: int
    is_half: bool
    autocast: bool
    four_bit: bool
    eight_bit: bool
    double_quant: bool
    rank: int
    targets: frozenset[str]
    dropout: bool
    drops: bool
    attention: Attention
    masks: bool
    packs: bool
    flash: bool
    groups: bool
    card: bool
    expands_keys: bool
    trains_base: bool
    norms_beside: bool
    embeddings_beside: bool
    adds: bool
    noise: bool

    def outlined(self) -> "Plan":
        """The same for a batch of any size, and adapters of any rank."""
        extent, rank = self.extent.outlined(), RANK if self.rank else 0
        return replace(self, extent=extent, rank=rank)

    def amounts(self) -> tuple[int, ...]:
        """What the outline's symbols stand for."""
        return self.extent.amounts(self.rank)

    @property
    def quantizes(self) -> bool:
        """Whether bitsandbytes holds the linear layers."""
        return self.four_bit or self.eight_bit

    @property
    def widens(self) -> bool:
        """Whether norms and softmax are computed in FP32 by autocast.

        A card's list of such operators has them, a processor's has not
        (aten/src/ATen/autocast_mode.cpp).
        """
        return self.autocast and self.card

    @property
    def trains_norms(self) -> bool:
        """Whether norms are trained, beside adapters or with all weights."""
        return self.trains_base or self.norms_beside

    @property
    def outer(self) -> int:
        """Bytes of an entry of the embeddings and the head."""
        return FP32 if self.embeddings_beside else self.plain

    @property
    def adapts_experts(self) -> bool:
        """Whether experts have adapters: with all layers they do."""
        return bool(self.rank) and not self.targets

    def adapts(self, layer: LinearShape) -> bool:
        """Whether a layer has an adapter."""
        kind = ATTENTION_ONLY if layer.attends else MLP_ONLY
        named = not self.targets or not self.targets.isdisjoint({kind, layer.name})
        return bool(self.rank) and named
