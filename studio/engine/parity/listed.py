"""What a model expects, of which only the likeliest words are known.

All others are one word then, in both models: by the data-processing inequality the
divergence between the two is at most that between the whole distributions, and equal
to it where the others keep their shares among themselves. So it never speaks against a
file that is sound.
"""

import math
from collections.abc import Mapping

import torch

_LEAST = 1e-12


def spread(listed: Mapping[int, float], trained: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of all words.

    Args:
        listed: Of the likeliest words, by token.
        trained: The trained model's at the same place, one a word.

    Returns:
        One a word: of the listed as told, of the others in the trained model's shares
        of what is left, so that their part of the divergence is that of the one word
        that they make up together.
    """
    whole = trained.clone()
    known = [token for token in listed if token < len(trained)]
    others = torch.ones(len(trained), dtype=torch.bool)
    others[known] = False
    left = max(_LEAST, 1.0 - sum(math.exp(listed[token]) for token in listed))
    share = torch.logsumexp(trained[others], 0) if others.any() else torch.tensor(0.0)
    whole[others] += math.log(left) - share
    whole[known] = torch.tensor([listed[token] for token in known], dtype=whole.dtype)
    return whole
