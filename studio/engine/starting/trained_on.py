"""The base that an adapter was trained on, for whoever puts the two together again."""

from dataclasses import dataclass
from pathlib import Path

from peft import PeftModelForCausalLM
from transformers import PretrainedConfig

from studio.domain.errors import refusal
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import LoraVariant
from studio.engine.adapter_files import put_adapter
from studio.engine.long_context import stretched
from studio.engine.model_config import read_config
from studio.engine.model_loading import Model
from studio.engine.starting.held_layers import FourBits
from studio.engine.starting.loftq import hold_all_as_quantised, hold_as_quantised


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """A base model as an adapter knows it.

    Attributes:
        folder: Of the base.
        config: With the stretch of the run.
        bits: Where the adapter is put on what 4 bits stand for, since it makes good
            a part of what they lost, or since that is asked for; None where it is put
            on the weights themselves.
        holds_all: Whether layers without an adapter are what 4 bits stand for, too.
    """

    folder: Path
    config: PretrainedConfig
    bits: FourBits | None
    holds_all: bool = False

    @property
    def in_words(self) -> str:
        """All that decides what an adapter is put on; empty for the weights."""
        if self.bits is None:
            return ""
        return f"{self.bits.in_words} {'all' if self.holds_all else 'adapted'}"


def trained_on(folder: Path, recipe: Recipe, *, as_held: bool = False) -> TrainedOn:
    """What a recipe's adapter is to be put on, in full precision.

    Args:
        folder: Of the base.
        recipe: Of the run.
        as_held: All layers shall be what they were in training, 4 bits unpacked.

    Raises:
        StudioError: The folder holds no model that transformers knows, or the run
            didn't hold its base in 4 bits.
    """
    if as_held:
        _refuse_as_held(recipe)
    bits = None
    if as_held or recipe.lora.variant is LoraVariant.LOFTQ:
        bits = FourBits(read_config(folder), recipe.model)
    config = stretched(read_config(folder), recipe.model.stretch)
    return TrainedOn(folder, config, bits, as_held)


def with_adapter(model: Model, adapter: Path, base: TrainedOn) -> PeftModelForCausalLM:
    """Put an adapter where it belongs.

    Args:
        model: The base, unquantised; it is changed.
        adapter: Its folder.
        base: What it belongs on.
    """
    if base.bits is not None and base.holds_all:
        hold_all_as_quantised(model, base.bits)
    adapted = put_adapter(model, adapter)
    if base.bits is not None and not base.holds_all:
        hold_as_quantised(adapted, base.bits)
    return adapted


def _refuse_as_held(recipe: Recipe) -> None:
    if not recipe.model.precision.is_four_bit:
        name = recipe.model.precision.value
        raise refusal(
            "merge.not-four-bit",
            f"The run held its base in {name}, not in 4 bits.",
            why="Only 4-bit weights are unpacked the same way wherever they lie.",
            fix="Merge without --as-trained.",
            where="--as-trained",
        )
    if recipe.lora.variant is LoraVariant.PISSA:
        raise refusal(
            "merge.pissa-as-trained",
            "A PiSSA run trained on a base without its strongest parts.",
            why="Its adapter is handed over for the base as it is.",
            fix="Merge without --as-trained.",
            where="--as-trained",
        )
