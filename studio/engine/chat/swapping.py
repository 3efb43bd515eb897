"""Other weights in the place of those that a loaded model has, bit for bit."""

from pathlib import Path

import torch
from peft import PeftModelForCausalLM
from safetensors import SafetensorError
from safetensors.torch import load_file

from studio.domain.errors import StudioError, refusal
from studio.engine.adapter_files import refuse_without_adapter
from studio.engine.model_loading import Model
from studio.engine.trained_weights import train_all
from studio.engine.training_state import put_weights, read_weights

_WEIGHTS = "adapter_model.safetensors"
_SAVED_BESIDE = ".modules_to_save.default"


def swap_adapter(adapted: PeftModelForCausalLM, folder: Path) -> None:
    """Give an adapter that is on its base the weights of another of the same run.

    Args:
        adapted: As `studio.engine.adapter_files.put_adapter` made it; it is changed.
        folder: Holds an adapter of the same form.

    Raises:
        StudioError: It holds none, or one of another form.
    """
    refuse_without_adapter(folder)
    try:
        saved = load_file(folder / _WEIGHTS)
    except (OSError, SafetensorError) as fault:
        raise _unlike(folder, str(fault)) from fault
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_" not in name and _SAVED_BESIDE not in name:
                continue
            key = name.replace(_SAVED_BESIDE, "").replace(".default", "")
            given = saved.get(key, saved.get(key.removesuffix(".weight")))
            if given is None or given.shape != weight.shape:
                raise _unlike(folder, f"{key} is missing in it, or has another shape")
            weight.copy_(given)


def swap_weights(model: Model, checkpoint: Path) -> None:
    """Give a base the weights that a run of all weights had at a checkpoint.

    Args:
        model: As it was loaded; it is changed.
        checkpoint: Its folder.

    Raises:
        StudioError: It holds none of this model.
    """
    try:
        put_weights(train_all(model), read_weights(checkpoint))
    except (OSError, ValueError, KeyError, SafetensorError) as fault:
        raise _unlike(checkpoint, str(fault)) from fault
    model.requires_grad_(False)


def _unlike(folder: Path, why: str) -> StudioError:
    return refusal(
        "chat.weights",
        f"The weights in {folder.name} can’t be talked to: {why}.",
        fix="Choose another checkpoint.",
        where=str(folder),
    )
