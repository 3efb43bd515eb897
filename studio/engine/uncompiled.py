"""bitsandbytes without torch's compiler, for work that runs none of its kernels.

Some of its functions are decorated with `torch.compile`, which loads the compiler at
import: half the time that the training stack takes to load. A rehearsal never runs
them, and on a processor `compute_eagerly` takes the plain ones anyway.
"""

from collections.abc import Callable
from unittest.mock import patch

import torch

Function = Callable[..., object]


def load_uncompiled() -> None:
    """Import bitsandbytes with its plain functions, unless it is imported already."""
    with patch.object(torch, "compile", _plain):
        import bitsandbytes  # noqa: F401 - its import is the work


def _plain(
    function: Function | None = None, **_: object
) -> Function | Callable[[Function], Function]:
    return function or (lambda decorated: decorated)
