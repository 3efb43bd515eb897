"""What leaves a card for main memory and comes back, on tensors without memory.

torch's `save_on_cpu` asks where a tensor lies and pins memory of the machine that does
the dry run. Here the tensor is let go and a new one of its size is made when it is
asked for, as on a card.
"""

import weakref
from collections.abc import Callable

import torch
from torch.autograd.graph import saved_tensors_hooks

from studio.engine.dry_run.recorder import Recorder


class _Left:
    """A tensor that is in main memory: its shape and format, and its bytes there."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.shape, self.dtype = tuple(tensor.shape), tensor.dtype
        # Pinned blocks have a power of two (ATen/core/CachingHostAllocator.h).
        self.size = 1 << (tensor.nbytes - 1).bit_length()


def leaving(recorder: Recorder) -> Callable[..., saved_tensors_hooks]:
    """What stands for `torch.autograd.graph.save_on_cpu`.

    Args:
        recorder: Is told of the most that is held in main memory.
    """
    held = 0

    def come_back(size: int) -> None:
        nonlocal held
        held -= size

    def leave(tensor: torch.Tensor) -> _Left:
        nonlocal held
        left = _Left(tensor)
        held += left.size
        recording = recorder.recording
        recording.main_bytes = max(recording.main_bytes, held)
        weakref.finalize(left, come_back, left.size).atexit = False
        return left

    def return_(left: _Left) -> torch.Tensor:
        return torch.empty(left.shape, dtype=left.dtype)

    def hooks(*_: object, **__: object) -> saved_tensors_hooks:
        return saved_tensors_hooks(leave, return_)

    return hooks
