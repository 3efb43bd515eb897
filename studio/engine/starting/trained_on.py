"""The base that an adapter was trained on, for whoever puts the two together again."""

from dataclasses import dataclass
from pathlib import Path

from transformers import PretrainedConfig

from studio.domain.recipe import Recipe
from studio.domain.recipe_options import LoraVariant
from studio.engine.long_context import stretched
from studio.engine.model_config import read_config
from studio.engine.starting.held_layers import FourBits


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """A base model as an adapter knows it.

    Attributes:
        folder: Of the base.
        config: With the stretch of the run.
        bits: Where the adapter belongs on what 4 bits stand for, since it makes good
            a part of what they lost; None where it belongs on the weights themselves.
    """

    folder: Path
    config: PretrainedConfig
    bits: FourBits | None


def trained_on(folder: Path, recipe: Recipe) -> TrainedOn:
    """What a recipe's adapter is to be put on, unquantised.

    Raises:
        StudioError: The folder holds no model that transformers knows.
    """
    bits = None
    if recipe.lora.variant is LoraVariant.LOFTQ:
        bits = FourBits(read_config(folder), recipe.model)
    config = stretched(read_config(folder), recipe.model.stretch)
    return TrainedOn(folder, config, bits)
