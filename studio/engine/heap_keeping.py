"""A processor's heap is kept within what was predicted, with few new pages a step.

Tensors of a forward pass stay, and what is worked out between them goes. glibc's
aligned blocks seldom fit where one of their own size was (bugzilla 14581), so the holes
are not filled, and by the end of a pass the heap can be half as large again as what it
holds. Mapping every tensor by itself leaves no holes, but costs new pages for each of
them: a step took twice as long. So holes stay until the process holds more than was
predicted; then they are given back, wherever a layer ends.
"""

from collections.abc import Callable

import torch
from transformers.modeling_layers import GradientCheckpointingLayer

from studio.system.heap import give_back_free_memory
from studio.system.resident_memory import resident_bytes


def keep_heap_within(model: torch.nn.Module, predicted_bytes: int) -> None:
    """Give free pages back behind a layer, both ways, while more is held.

    So it is while measuring and answering too: they keep nothing between layers, but
    find the holes that steps have left, and their blocks are of other sizes.

    Args:
        model: Of transformers; it stays as it is but for what is called behind layers.
        predicted_bytes: Resident memory of the whole process.
    """

    def behind(_: torch.nn.Module, __: object, given: object) -> None:
        _give_back_above(predicted_bytes)
        hidden = given[0] if isinstance(given, tuple) else given
        if isinstance(hidden, torch.Tensor) and hidden.requires_grad:
            hidden.register_hook(_in_backward(predicted_bytes))  # type: ignore[no-untyped-call]  # torch leaves it untyped

    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module.register_forward_hook(behind)


def _in_backward(predicted_bytes: int) -> Callable[[torch.Tensor], None]:
    def hook(_: torch.Tensor) -> None:
        _give_back_above(predicted_bytes)

    return hook


def _give_back_above(predicted_bytes: int) -> None:
    if resident_bytes() > predicted_bytes:
        give_back_free_memory()
