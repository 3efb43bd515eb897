"""Which card a run calls which: CUDA's index of the cards that NVML counts.

The engine is started with ``CUDA_DEVICE_ORDER=PCI_BUS_ID``, NVML's own order, so only
``CUDA_VISIBLE_DEVICES`` can hide cards or change their places. Cards are told by UUID.
Source: CUDA C++ Programming Guide, "CUDA environment variables".
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from studio.domain.hardware import GpuReading, GpuSlice


def in_cuda_order(
    gpus: Sequence[GpuReading], visible: str | None
) -> tuple[GpuReading, ...]:
    """The same cards in NVML's order, each with its place in CUDA's.

    Args:
        gpus: Those that answered, by NVML's index.
        visible: ``CUDA_VISIBLE_DEVICES``; None when it is not set.
    """
    places = {uuid: place for place, uuid in enumerate(_visible(gpus, visible))}
    return tuple(
        replace(
            gpu,
            cuda_index=places.get(gpu.uuid),
            is_hidden=gpu.uuid not in places,
            slices=_chosen_first(gpu, visible or ""),
        )
        for gpu in gpus
    )


def _chosen_first(gpu: GpuReading, visible: str) -> tuple[GpuSlice, ...]:
    """A card's slices, the one that the variable names at the front."""
    named = [entry.strip() for entry in visible.split(",") if "MIG-" in entry]
    return tuple(
        sorted(gpu.slices, key=lambda part: not any(map(part.uuid.startswith, named)))
    )


def _visible(gpus: Sequence[GpuReading], visible: str | None) -> Iterator[str]:
    """UUIDs in CUDA's order; the list ends at the first entry that is no card."""
    if visible is None:
        yield from (gpu.uuid for gpu in gpus)
        return
    for entry in visible.split(","):
        meant = _meant(gpus, entry.strip())
        if meant is None:
            return
        yield meant.uuid


def _meant(gpus: Sequence[GpuReading], entry: str) -> GpuReading | None:
    if entry.isdecimal():
        return next((gpu for gpu in gpus if gpu.index == int(entry)), None)
    if not entry.startswith(("GPU-", "MIG-")):
        return None
    # The start of a UUID is enough when only one card has it.
    found = [gpu for gpu in gpus if any(x.startswith(entry) for x in _uuids(gpu))]
    return found[0] if len(found) == 1 else None


def _uuids(gpu: GpuReading) -> tuple[str, ...]:
    return gpu.uuid, *(part.uuid for part in gpu.slices)
