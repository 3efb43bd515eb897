"""LoftQ: a fresh adapter starts by making good what quantising its layer lost.

One round of Li et al. (2023), arXiv 2310.08659, with the quantised base left as it is:
scale * B A is the best product of its rank for W - Q(W). So the adapter goes on the
base quantised alike, as any other does.
"""

from pathlib import Path

from bitsandbytes.nn.modules import Linear4bit
from peft import PeftModelForCausalLM
from torch import nn

from studio.domain.errors import refusal
from studio.engine.base_files import BaseTensors
from studio.engine.session import Session
from studio.engine.starting.held_layers import FourBits, held_by, original_of
from studio.engine.starting.layers import adapted_layers, base_of, start_from

_STAGE = "Making good what 4 bits lost"


def repair(session: Session, model: PeftModelForCausalLM, folder: Path) -> None:
    """Start an adapter from what its 4-bit layers lost.

    Args:
        session: Where to report.
        model: The base in 4 bits with a fresh adapter.
        folder: Of the base: holds the weights that were quantised.

    Raises:
        StudioError: A layer's own weights can't be found there.
    """
    tensors = BaseTensors(folder)
    for name, layer in session.counted(four_bit_layers(model), _STAGE, "layers"):
        base = base_of(layer)
        weight = original_of(name, base, tensors)
        if weight is None:
            raise refusal(
                "recipe.loftq-unknown-weights",
                f"LoftQ can’t find the unquantised weights of {name} in {folder}.",
                fix="Set lora.variant to lora.",
                where="lora.variant",
            )
        start_from(layer, weight - held_by(base))


def four_bit_layers(model: PeftModelForCausalLM) -> list[tuple[str, nn.Module]]:
    """Every adapted layer in 4 bits, by its name in the base model."""
    layers = adapted_layers(model)
    return [each for each in layers if isinstance(base_of(each[1]), Linear4bit)]


def hold_as_quantised(model: PeftModelForCausalLM, bits: FourBits) -> None:
    """Give the adapted layers of an unquantised base the values that 4 bits hold.

    Args:
        model: The base with the adapter; it is changed.
        bits: As it was trained.
    """
    for name, layer in adapted_layers(model):
        weight = base_of(layer).get_parameter("weight")
        is_transposed = not isinstance(base_of(layer), nn.Linear)
        weight.data.copy_(bits.held(name, weight.data, transposed=is_transposed))


def hold_all_as_quantised(model: nn.Module, bits: FourBits) -> None:
    """Give all layers that 4 bits hold the values that these stand for.

    Args:
        model: An unquantised base without an adapter; it is changed.
        bits: As it was trained.
    """
    for name in bits.layers:
        layer = model.get_submodule(name)
        weight = layer.get_parameter("weight")
        is_transposed = not isinstance(layer, nn.Linear)
        weight.data.copy_(bits.held(name, weight.data, transposed=is_transposed))
