"""The states of all random numbers of this process, taken and put back."""

import random
from typing import Any

import torch

Chance = dict[str, Any]


def take_chance() -> Chance:
    """Python's, numpy's, torch's and each card's, as a tree of plain values.

    As bytes, not as tensors: those would count as memory that the run takes.
    """
    import numpy as np

    kind, keys, *rest = np.random.get_state()
    on_cards = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "python": random.getstate(),
        "numpy": (kind, np.asarray(keys, dtype=np.uint32).tobytes(), *rest),
        "torch": _bytes_of(torch.get_rng_state()),
        "cards": [_bytes_of(state) for state in on_cards],
    }


def put_chance(chance: Chance) -> None:
    """Go on drawing as from the moment that was taken.

    Cards beyond those that were there then keep their own.
    """
    import numpy as np

    random.setstate(chance["python"])
    kind, keys, *rest = chance["numpy"]
    np.random.set_state((kind, np.frombuffer(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(_tensor_of(chance["torch"]))
    for place, state in enumerate(chance["cards"][: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(_tensor_of(state), place)


def _bytes_of(state: torch.Tensor) -> bytes:
    return state.numpy().tobytes()


def _tensor_of(state: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(state), dtype=torch.uint8)
