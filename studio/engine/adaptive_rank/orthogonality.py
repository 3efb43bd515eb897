"""Keeps the directions of a layer apart, so that each can be judged alone.

The paper's equation 4 asks A A' = B' B = I. As in peft, a term is added to what is
minimised: half the mean, over all matrices, of the Frobenius norm by which they miss
it. Here only its gradient is added, once a step: the loss that is told stays that of
the data, however it is computed and however many micro-batches a step has.
"""

from collections.abc import Sequence

import torch

from studio.engine.adaptive_rank.directions import Directions

WEIGHT = 0.5


@torch.no_grad()
def add_gradient(layers: Sequence[Directions], scale: float = 1.0) -> None:
    """Add the term's gradient to that of the matrices, in FP32.

    With G = A A' - I the gradient of |G| by A is 2 G A / |G|.

    Args:
        layers: Whose gradients are there; a matrix without one is left out.
        scale: That gradients are multiplied by.
    """
    matrices = [
        (matrix, matrix is each.second)
        for each in layers
        for matrix in (each.first, each.second)
        if matrix.grad is not None
    ]
    for matrix, is_second in matrices:
        assert matrix.grad is not None
        rows = matrix.float().T if is_second else matrix.float()
        missed = rows @ rows.T
        missed.diagonal().sub_(1)
        norm = missed.norm().clamp_(min=torch.finfo(torch.float32).tiny)
        found = (missed @ rows).mul_(2 * WEIGHT * scale / len(matrices) / norm)
        matrix.grad.add_(found.T if is_second else found)
