"""What an adapter's start takes of the device while it is worked out.

All arithmetic is done in main memory before a run's peak is counted; only what the
device makes meanwhile is rehearsed here, so that nothing is decomposed.
"""

from bitsandbytes import functional
from bitsandbytes.nn.modules import Linear4bit
from peft import PeftModelForCausalLM

from studio.domain.recipe_options import STARTING_FROM_BASE, LoraVariant
from studio.engine.dry_run.fake_model import packed_anew
from studio.engine.dry_run.recorder import Recorder
from studio.engine.starting.held_layers import is_quantised
from studio.engine.starting.layers import adapted_layers, base_of


def rehearse_start(
    recorder: Recorder, model: PeftModelForCausalLM, variant: LoraVariant
) -> None:
    """Go through `starting.begin` without its memory.

    Args:
        recorder: Entered already.
        model: The base with a fresh adapter.
        variant: Of the adapter.
    """
    if variant not in STARTING_FROM_BASE:
        return
    for _, layer in adapted_layers(model):
        base = base_of(layer)
        if isinstance(base, Linear4bit):
            functional.dequantize_4bit(base.weight.data, base.quant_state)
        if variant is LoraVariant.PISSA and is_quantised(base):
            base.weight = packed_anew(recorder, base)
