"""A habit of torch's on a processor, kept from answers: a head copied for each row.

Of a prompt only the last place is turned into logits. Such a slice isn't laid out in
one piece, so torch multiplies row by row (`should_fold` in its matmul), and oneDNN,
which does so in 16 bits, copies the whole weight for each of them: 162 MiB for three
prompts of a model with 135 million weights. A card's cuBLAS takes one weight for all.
"""

from typing import Any

import torch
from transformers import PreTrainedModel


def multiply_rows_together(model: PreTrainedModel) -> None:
    """Hand the head rows in one piece.

    Args:
        model: Its head gets a hook; figures change by rounding alone.
    """
    head = model.get_output_embeddings()  # type: ignore[no-untyped-call]  # transformers leaves it untyped
    if head is not None:
        head.register_forward_pre_hook(_in_one_piece)


def _in_one_piece(_: torch.nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    hidden, *rest = given
    return hidden.contiguous(), *rest
