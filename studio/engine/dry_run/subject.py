"""What is rehearsed, and the names that its parts have in the record."""

from dataclasses import dataclass, replace

import torch
from transformers import PretrainedConfig

from studio.domain.recipe import Recipe
from studio.domain.recipe_options import Attention
from studio.engine.devices import Formats, formats_of
from studio.engine.dry_run.card import Card


@dataclass(frozen=True, slots=True)
class Subject:
    """What is rehearsed.

    Attributes:
        config: The model's architecture.
        recipe: The run.
        card: Where; None is this machine's processor.
    """

    config: PretrainedConfig
    recipe: Recipe
    card: Card | None

    @property
    def formats(self) -> Formats:
        """The run's number formats."""
        kind = "cpu" if self.card is None else "cuda"
        formats = formats_of(self.recipe, torch.device(kind))
        if self.is_foreign:
            formats = replace(formats, autocast=self.recipe.compat.autocast)
        if self.recipe.trains_all:
            formats = replace(formats, adapter=formats.load)
        return formats

    @property
    def is_foreign(self) -> bool:
        """Whether another program's run is priced."""
        return bool(self.recipe.compared())

    @property
    def packs(self) -> bool:
        """Whether packed rows have masks; the package flash-attn needs none."""
        is_flash = self.recipe.model.attention is Attention.FLASH
        return self.recipe.train.packing and not is_flash

    @property
    def pads(self) -> bool:
        """Whether rows of different lengths share the batch that costs the most.

        A batch with padding needs a mask, by which it loses FlashAttention. A card
        that has none loses more without a mask: torch then takes grouped keys to its
        plain kernel. Other programs are measured on rows of one length, and the
        package flash-attn needs no mask.
        """
        if self.is_foreign or self.recipe.model.attention is Attention.FLASH:
            return False
        mixes = self.recipe.train.answers_at_a_time > 1
        return mixes and (self.card is None or self.card.has_flash)
