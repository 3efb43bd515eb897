"""The card that a dry run stands in for, as far as its kernels ask for memory."""

import sys
from dataclasses import dataclass

from studio.domain.hardware import MIB, TrainingDevice

# The figures hold for this one when nothing is known: a card of the Ada family.
_USUAL_CAPABILITY = (8, 9)
_AMPERE = (8, 0)
# ATen/cuda/CublasHandlePool.cpp, parseChosenWorkspaceSize: ":4096:2:16:8", and 32 MiB
# on sm_90.
_WORKSPACE = 4096 * 1024 * 2 + 16 * 1024 * 8
_HOPPER_WORKSPACE = 4096 * 8 * 1024
# What a process holds beside torch's allocator once all kernels are loaded. Measured
# on a T4 (CUDA 12.8 and 13.0, 79 runs); elsewhere 300 to 400 MiB are usual with lazy
# loading, until a probe on the machine itself tells.
_KNOWN_CONTEXTS = {(7, 5): 141 * MIB}
_USUAL_CONTEXT = 300 * MIB


@dataclass(frozen=True, slots=True)
class Card:
    """A CUDA card.

    Attributes:
        capability: Its compute capability.
        total_bytes: Its memory.
        has_triton: Whether kernels written in Triton run beside it; torch brings
            Triton on Linux only.
    """

    capability: tuple[int, int]
    total_bytes: int
    has_triton: bool = sys.platform == "linux"

    @classmethod
    def of(cls, device: TrainingDevice) -> "Card | None":
        """The card of a device; None for a processor."""
        if device.kind != "cuda":
            return None
        capability = device.compute_capability or _USUAL_CAPABILITY
        return cls(capability, device.total_bytes)

    @property
    def has_flash(self) -> bool:
        """Whether torch's FlashAttention runs: Ampere and later."""
        return self.capability >= _AMPERE

    @property
    def workspace_bytes(self) -> int:
        """Of one cuBLAS handle; each thread that multiplies has its own."""
        is_hopper = self.capability == (9, 0)
        return _HOPPER_WORKSPACE if is_hopper else _WORKSPACE

    @property
    def context_bytes(self) -> int:
        """What the process holds beside torch's allocator."""
        return _KNOWN_CONTEXTS.get(self.capability, _USUAL_CONTEXT)
