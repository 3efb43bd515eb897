"""The states of all random numbers of this process, taken and put back."""

import random
from typing import Any

import torch

Chance = dict[str, Any]


def take_chance() -> Chance:
    """Python's, numpy's, torch's and each card's, as a tree of plain values."""
    import numpy as np

    kind, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(np.array(keys).astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cards": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def put_chance(chance: Chance) -> None:
    """Go on drawing as from the moment that was taken.

    Cards beyond those that were there then keep their own.
    """
    import numpy as np

    random.setstate(chance["python"])
    kind, keys, *rest = chance["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(chance["torch"])
    for place, state in enumerate(chance["cards"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, place)
