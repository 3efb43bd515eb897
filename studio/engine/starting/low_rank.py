"""The product of a rank that is next to a matrix, by randomised subspace iteration.

Halko, Martinsson and Tropp (2011), algorithm 4.4. A whole decomposition of a large
layer takes minutes on a processor.
"""

import torch

_SPARE_RANK = 8
_ROUNDS = 4


def principal(matrix: torch.Tensor, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The product of a rank that is next to a matrix, halves of equal weight.

    torch's random state is neither read nor moved, and the same matrix gives the same
    halves.

    Args:
        matrix: fp32 (out, in).
        rank: At most the smaller of the two.

    Returns:
        (out, rank) and (rank, in).
    """
    chance = torch.Generator().manual_seed(0)
    width = min(rank + _SPARE_RANK, *matrix.shape)
    basis = matrix @ torch.randn(matrix.shape[1], width, generator=chance)
    for _ in range(_ROUNDS):
        basis = torch.linalg.qr(basis).Q
        basis = matrix @ torch.linalg.qr(matrix.T @ basis).Q
    basis = torch.linalg.qr(basis).Q
    left, values, right = torch.linalg.svd(basis.T @ matrix, full_matrices=False)
    roots = values[:rank].sqrt()
    return (basis @ left[:, :rank]) * roots, roots[:, None] * right[:rank]
