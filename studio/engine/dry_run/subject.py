"""What is rehearsed, and the names that its parts have in the record."""

from dataclasses import dataclass

import torch
from transformers import PretrainedConfig

from studio.domain.recipe import Recipe
from studio.engine.devices import Formats, formats_of
from studio.engine.dry_run.card import Card

ADAPTER = "Adapter"
GRADIENTS = "Gradients"
STATES = "Optimizer states"
BATCH = "Batch"
LOGITS = "Logits and loss"


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
        return formats_of(self.recipe, torch.device(kind))

    @property
    def pads(self) -> bool:
        """Whether rows of different lengths share the batch that costs the most.

        A batch with padding needs a mask, by which it loses FlashAttention. A card
        that has none loses more without a mask: torch then takes grouped keys to its
        plain kernel.
        """
        mixes = self.recipe.train.micro_batch > 1
        return mixes and (self.card is None or self.card.has_flash)
