"""What a card asks for by its compute capability, beside any tensor."""

from studio.domain.hardware import MIB

Capability = tuple[int, int]

# The figures hold for this one when nothing is known: a card of the Ada family.
USUAL_CAPABILITY: Capability = (8, 9)
_AMPERE: Capability = (8, 0)
_HOPPER: Capability = (9, 0)
# ATen/cuda/CublasHandlePool.cpp, parseChosenWorkspaceSize: ":4096:2:16:8", and 32 MiB
# on sm_90.
_WORKSPACE = 4096 * 1024 * 2 + 16 * 1024 * 8
_HOPPER_WORKSPACE = 4096 * 8 * 1024
# What a process holds beside torch's allocator once all kernels are loaded. Measured
# on a T4 (CUDA 12.8 and 13.0, 79 runs) and an H100 (driver 580, CUDA 13.0, 25 runs in
# tests/gpu/measured: 744 or 768 MiB, 610 of them before the first kernel); elsewhere
# 300 to 400 MiB are usual with lazy loading, until a probe on the machine itself tells.
_KNOWN_CONTEXTS = {(7, 5): 141 * MIB, (9, 0): 768 * MIB}
USUAL_CONTEXT = 300 * MIB


def has_flash(capability: Capability) -> bool:
    """Whether torch's FlashAttention runs: Ampere and later."""
    return capability >= _AMPERE


def has_grouped_product(capability: Capability) -> bool:
    """Whether torch multiplies by all experts of a layer at once.

    Elsewhere transformers goes from expert to expert (integrations/moe.py,
    `_can_use_grouped_mm`), in every number format either way.
    """
    return capability >= _AMPERE


def workspace_bytes(capability: Capability) -> int:
    """Of one cuBLAS handle; each thread that multiplies has its own."""
    return _HOPPER_WORKSPACE if capability == _HOPPER else _WORKSPACE


def context_bytes(capability: Capability) -> int:
    """What a process holds of a card beside torch's allocator."""
    return _KNOWN_CONTEXTS.get(capability, USUAL_CONTEXT)
