"""Which device the engine computes on, and in which number formats.

The recipe names formats one by one; what they mean together for loading, autocast and
the adapter is decided here, once, so that training, evaluation and answers agree.
"""

import contextlib
from dataclasses import dataclass

import torch

from studio.domain.errors import StudioError, refusal
from studio.domain.offloading import ON_PROCESSOR
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import AdapterDtype, ComputeDtype, Precision
from studio.system.machine import processor_name

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def choose_device() -> torch.device:
    """The first card that torch can use, else the processor."""
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def device_in_words(device: torch.device) -> str:
    """The device's name, as people know it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_name() or "Processor"


@dataclass(frozen=True, slots=True)
class Formats:
    """The number formats of one run.

    Attributes:
        load: Of weights that aren't quantised: embeddings, norms, the output head.
        compute: Of activations and matrix products.
        adapter: Of the trained weights, their gradients and optimizer states.
        autocast: Cast to `compute` on the fly, where the weights' own format isn't
            already that; without it nothing is cast twice and less is remembered.
    """

    load: torch.dtype
    compute: torch.dtype
    adapter: torch.dtype
    autocast: bool

    def casting(self, device: torch.device) -> contextlib.AbstractContextManager[None]:
        """The context that a forward pass runs in."""
        if not self.autocast:
            return contextlib.nullcontext()
        return torch.autocast(device.type, dtype=self.compute)


def formats_of(recipe: Recipe, device: torch.device) -> Formats:
    """Decide the formats of a run.

    Raises:
        StudioError: The recipe's formats can't be had together on this device.
    """
    compute = DTYPES[recipe.model.compute_dtype]
    adapter = DTYPES[recipe.lora.adapter_dtype]
    load = compute
    if not recipe.model.precision.is_quantized:
        load = DTYPES[recipe.model.precision]
    if recipe.trains_all:
        adapter = load  # each weight is trained in the format that it is held in
    _check(recipe, device)
    autocast = compute is not torch.float32 and {load, adapter} != {compute}
    return Formats(load=load, compute=compute, adapter=adapter, autocast=autocast)


def refuse_on_processor(recipe: Recipe, device: torch.device) -> None:
    """Refuse what a processor can't do as a card does.

    Raises:
        StudioError: It can't.
    """
    if device.type == "cpu" and recipe.train.offload:
        raise StudioError(ON_PROCESSOR)


def _check(recipe: Recipe, device: torch.device) -> None:
    precision, compute = recipe.model.precision, recipe.model.compute_dtype
    is_half = precision in {Precision.BF16, Precision.FP16}
    if is_half and precision.value != compute.value:
        raise _impossible(
            f"Base weights in {precision} can't be computed with in {compute}.",
            f"Set model.compute_dtype to {precision}, or model.precision to fp32.",
        )
    if compute is ComputeDtype.FP16 and device.type == "cpu":
        raise _impossible(
            "A processor doesn't train in fp16: torch can't scale its gradients there.",
            "Set model.compute_dtype to bf16 or fp32.",
        )
    casts = recipe.lora.adapter_dtype is AdapterDtype.BF16 and not recipe.trains_all
    if compute is ComputeDtype.FP16 and casts:
        raise _impossible(
            "fp16 gradients can't be scaled into a bf16 adapter.",
            "Set lora.adapter_dtype to fp32.",
        )


def _impossible(what: str, fix: str) -> StudioError:
    return refusal("recipe.formats", what, fix=fix, where="model.compute_dtype")
