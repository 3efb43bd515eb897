"""The card that a dry run stands in for, as far as its kernels ask for memory."""

import sys
from dataclasses import dataclass

from studio.domain.hardware import TrainingDevice
from studio.domain.memory import card_habits
from studio.system.allocator_setting import expands_segments


@dataclass(frozen=True, slots=True)
class Card:
    """A CUDA card.

    Attributes:
        capability: Its compute capability.
        total_bytes: Its memory.
        has_triton: Whether kernels written in Triton run beside it; torch brings
            Triton on Linux only.
        expands_segments: Whether torch's allocator is told to grow its segments.
    """

    capability: tuple[int, int]
    total_bytes: int
    has_triton: bool = sys.platform == "linux"
    expands_segments: bool = False

    @classmethod
    def of(cls, device: TrainingDevice) -> "Card | None":
        """The card of a device; None for a processor."""
        if device.kind != "cuda":
            return None
        capability = device.compute_capability or card_habits.USUAL_CAPABILITY
        return cls(capability, device.total_bytes, expands_segments=expands_segments())

    @property
    def has_flash(self) -> bool:
        """Whether torch's FlashAttention runs: Ampere and later."""
        return card_habits.has_flash(self.capability)

    @property
    def has_grouped_product(self) -> bool:
        """Whether torch multiplies by all experts at once."""
        return card_habits.has_grouped_product(self.capability)

    @property
    def workspace_bytes(self) -> int:
        """Of one cuBLAS handle; each thread that multiplies has its own."""
        return card_habits.workspace_bytes(self.capability)

    @property
    def context_bytes(self) -> int:
        """What the process holds beside torch's allocator."""
        return card_habits.context_bytes(self.capability)

    @property
    def room_bytes(self) -> int:
        """What the driver could give torch's allocator with nobody else on the card."""
        return self.total_bytes - self.context_bytes
