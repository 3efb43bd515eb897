"""What an adapter's start takes of the device while it is worked out.

All arithmetic is done in main memory before a run's peak is counted; only what the
device makes meanwhile is rehearsed here, so that nothing is decomposed.
"""

from bitsandbytes import functional
from bitsandbytes.nn.modules import Linear4bit
from peft import PeftModelForCausalLM

from studio.domain.recipe_options import LoraVariant
from studio.engine.starting.layers import adapted_layers, base_of


def rehearse_start(model: PeftModelForCausalLM, variant: LoraVariant) -> None:
    """Go through `starting.begin` without its memory.

    Args:
        model: The base with a fresh adapter.
        variant: Of the adapter.
    """
    for _, layer in adapted_layers(model):
        base = base_of(layer)
        if variant is LoraVariant.LOFTQ and isinstance(base, Linear4bit):
            functional.dequantize_4bit(base.weight.data, base.quant_state)
