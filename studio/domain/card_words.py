"""A card's figures in words, the same for the window and the terminal.

Each function returns an empty text where the figure was not read; the reason then
stands in the reading's `missing`.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from studio.domain.hardware import GpuReading

FIELD_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "uuid": "identity",
        "name": "name",
        "architecture": "architecture",
        "compute_capability": "compute capability",
        "total_bytes": "memory",
        "used_bytes": "memory",
        "free_bytes": "memory",
        "reserved_bytes": "the driver's share of the memory",
        "processes": "programs",
        "utilization": "load",
        "memory_utilization": "memory load",
        "temperature_c": "temperature",
        "slowdown_c": "slowdown temperature",
        "power_w": "power",
        "power_limit_w": "power limit",
        "sm_clock_mhz": "clock",
        "sm_clock_max_mhz": "highest clock",
        "memory_clock_mhz": "memory clock",
        "memory_clock_max_mhz": "highest memory clock",
        "throttle_reasons": "throttling",
        "fan": "fan",
        "pcie": "PCIe link",
        "is_display_attached": "display",
        "ecc": "error correction (ECC)",
        "ecc_errors": "memory errors",
        "is_divided": "slices (MIG)",
        "slices": "slices (MIG)",
        "virtualization": "virtual card",
    }
)
"""What people call the fields of a reading."""


def title(gpu: GpuReading) -> str:
    """Name, architecture and compute capability: ``T4 · Turing, compute 7.5``."""
    return " · ".join(filter(None, (gpu.name, kind(gpu))))


def kind(gpu: GpuReading) -> str:
    """Architecture and compute capability: ``Turing, compute 7.5``."""
    parts = [gpu.architecture] if gpu.architecture else []
    if gpu.compute_capability is not None:
        major, minor = gpu.compute_capability
        parts.append(f"compute {major}.{minor}")
    return ", ".join(parts)


def load(gpu: GpuReading) -> str:
    """Share of the last second with work, of the chip and of its memory."""
    if gpu.utilization is None:
        return ""
    words = f"{gpu.utilization:.0%}"
    if gpu.memory_utilization is not None:
        words += f", memory {gpu.memory_utilization:.0%}"
    return words.replace("%", " %")


def power(gpu: GpuReading) -> str:
    """Watts now, and at most where that is told."""
    if gpu.power_w is None:
        return ""
    if gpu.power_limit_w is None:
        return f"{gpu.power_w:.0f} W"
    return f"{gpu.power_w:.0f} of {gpu.power_limit_w:.0f} W"


def clock(gpu: GpuReading) -> str:
    """Megahertz of the chip now, and at most."""
    return _of_most(gpu.sm_clock_mhz, gpu.sm_clock_max_mhz)


def memory_clock(gpu: GpuReading) -> str:
    """Megahertz of the card's memory now, and at most."""
    return _of_most(gpu.memory_clock_mhz, gpu.memory_clock_max_mhz)


def _of_most(now: int | None, most: int | None) -> str:
    if now is None:
        return ""
    return f"{now:,}{'' if most is None else f' of {most:,}'} MHz"


def throttling(gpu: GpuReading) -> str:
    """Why the clocks are held back: ``none`` when nothing does."""
    if gpu.throttle_reasons is None:
        return ""
    return ", ".join(gpu.throttle_reasons) or "none"


def fan(gpu: GpuReading) -> str:
    """Of the highest speed."""
    return "" if gpu.fan is None else f"{gpu.fan * 100:.0f} %"


def link(gpu: GpuReading) -> str:
    """The link to the main board; a resting link is slow on purpose."""
    if gpu.pcie is None:
        return ""
    at = gpu.pcie
    now, most = f"{at.generation} × {at.width}", f"{at.max_generation} × {at.max_width}"
    return f"PCIe {now}" if now == most else f"PCIe {now} of {most}"


def display(gpu: GpuReading) -> str:
    """Whether a screen hangs on the card and takes some of its memory."""
    if gpu.is_display_attached is None:
        return ""
    return "attached" if gpu.is_display_attached else "none attached"


def correction(gpu: GpuReading) -> str:
    """Error correction of the card's memory."""
    if gpu.ecc is None:
        return ""
    if not gpu.ecc:
        return "off"
    if gpu.ecc_errors is None:
        return "on"
    return f"on, {gpu.ecc_errors:,} uncorrected"


def not_told(gpu: GpuReading) -> Iterator[tuple[str, str]]:
    """(names, reason) of what is missing, figures with one reason together."""
    by_reason: dict[str, dict[str, None]] = {}
    for name, reason in gpu.missing.items():
        by_reason.setdefault(reason, {})[FIELD_NAMES[name]] = None
    for reason, names in by_reason.items():
        yield ", ".join(names), reason
