"""What leaves a card between the forward and the backward pass, and what that needs.

Recomputed layers remember what goes into them alone. That is what is held in main
memory: one hidden state a layer and micro-batch.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from studio.domain.finding import Finding, Severity, error, warning
from studio.domain.hardware import gib
from studio.domain.train_options import TrainOptions

if TYPE_CHECKING:
    from studio.domain.architecture import ModelArchitecture
    from studio.domain.recipe import Recipe

OPTION = "train.offload"
_WIDTHS = {"bf16": 2, "fp16": 2, "fp32": 4}

ON_PROCESSOR = error(
    "device.no-offload",
    "train.offload is without effect on a processor, whose memory is the main memory.",
    fix="Set train.offload to false.",
    where=OPTION,
)
"""Why a processor refuses it."""


def main_memory_bytes(model: "ModelArchitecture", recipe: "Recipe") -> int:
    """What a micro-batch holds in main memory at most; 0 where nothing leaves.

    Torch pins blocks of a power of two (ATen/core/CachingHostAllocator.h, `allocate`),
    and keeps them for the next micro-batch.
    """
    train, options = recipe.train, recipe.model
    if not train.offload:
        return 0
    quantizes = options.precision.is_quantized
    held = options.compute_dtype.value if quantizes else options.precision.value
    state = train.micro_batch * train.sequence_length * model.hidden * _WIDTHS[held]
    layers = sum(count for _, count in model.decoder.kinds)
    return layers * (1 << (state - 1).bit_length())


def main_memory_findings(
    model: "ModelArchitecture", recipe: "Recipe"
) -> Iterator[Finding]:
    """How much main memory is held in the card's stead, where any is."""
    size = main_memory_bytes(model, recipe)
    if size:
        yield Finding(
            code="recipe.offload",
            severity=Severity.INFO,
            what=f"train.offload holds up to {gib(size)} of main memory.",
            why="It is pinned: no other program has it meanwhile.",
            where=OPTION,
        )


def short_of_main_memory(held: int, free: int) -> Finding | None:
    """The doubt that main memory is short; None where it isn't.

    Args:
        held: What a micro-batch holds there, bytes.
        free: What is available there, bytes.
    """
    if held <= free:
        return None
    return warning(
        "recipe.offload-short",
        f"train.offload holds {gib(held)} of main memory, and {gib(free)} are free.",
        why="Pinned memory can't be swapped out: the system may end a program.",
        fix="Close other programs, or lower train.sequence_length.",
        where=OPTION,
    )


def offload_clashes(train: TrainOptions) -> list[Finding]:
    """What can't leave a card: all that layers remember which aren't recomputed."""
    if not train.offload or train.checkpointing:
        return []
    return [
        error(
            "recipe.contradiction",
            "train.offload and train.checkpointing = false can't hold together.",
            why="What layers remember that aren't recomputed is some twenty times as "
            "much, and takes longer to copy than to compute anew.",
            fix="Set train.checkpointing to true, or train.offload to false.",
            where=OPTION,
        )
    ]
