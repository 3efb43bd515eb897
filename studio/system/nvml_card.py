"""One card's figures, each asked by itself and each allowed to be missing.

Virtual cards, slices, laptops, old drivers and unified memory each leave out other
figures, so each call is guarded and leaves its reason in words.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from studio.domain.hardware import GpuProcess, GpuReading, GpuSlice, PcieLink
from studio.system.nvml_library import (
    NvmlLibrary,
    capability,
    fault_name,
    flag,
    listed,
    number,
    share,
    text,
    watts,
    whole,
)
from studio.system.processes import name_of

# nvml.h: NVML_DEVICE_ARCH_*, nvmlClockType_t, nvmlMemoryErrorType_t,
# nvmlEccCounterType_t, nvmlGpuVirtualizationMode_t.
_ARCHITECTURES: Final = {
    2: "Kepler",
    3: "Maxwell",
    4: "Pascal",
    5: "Volta",
    6: "Turing",
    7: "Ampere",
    8: "Ada",
    9: "Hopper",
    10: "Blackwell",
    13: "Rubin",
}
_SM_CLOCK: Final = 1
_MEMORY_CLOCK: Final = 2
_UNCORRECTED: Final = 1
_SINCE_START: Final = 0
_VIRTUALIZATIONS: Final = {1: "passthrough", 2: "vgpu"}

# nvml.h: nvmlClocksEventReason*. An idle card's low clocks are no throttling.
_THROTTLES: Final = {
    0x2: "clocks set by an application",
    0x4: "power limit",
    0x8: "hardware slowdown",
    0x10: "kept in step with another card",
    0x20: "heat",
    0x40: "heat, by the card's own protection",
    0x80: "power supply",
    0x100: "display clocks",
}
_HARDWARE_SLOWDOWN: Final = 0x8
_HARDWARE_CAUSES: Final = 0x40 | 0x80

_MEMORY_FIGURES: Final = ("total_bytes", "reserved_bytes", "used_bytes", "free_bytes")
_NO_OWN_MEMORY: Final = "The card shares the machine's main memory."
_LOST: Final = frozenset({"GpuIsLost", "ResetRequired"})


class CardLostError(Exception):
    """The card fell off its bus or waits to be reset."""


@dataclass(slots=True)
class _Questions:
    """Asks one card, and keeps for each figure that is missing the reason.

    Attributes:
        platform: As `platform_of_driver` tells.
        kind: What kind of card leaves figures out; empty for a plain one.
        missing: The reasons, by the reading's field.
        faults: NVML's errors, by the reading's field.
    """

    library: NvmlLibrary
    handle: object
    platform: str = ""
    kind: str = ""
    missing: dict[str, str] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def ask(self, figure: str, call: str, *given: object) -> object:
        """The answer of a call, or None with its reason kept.

        Raises:
            CardLostError: The card is gone.
        """
        try:
            return getattr(self.library, call)(self.handle, *given)
        except self.library.NVMLError as fault:
            name = fault_name(fault)
            if name in _LOST:
                raise CardLostError from fault
            self.faults[figure] = name
            self.missing[figure] = self._reason(name, fault)
            return None

    def _reason(self, name: str, fault: Exception) -> str:
        if name == "NotSupported" and (self.platform or self.kind):
            source = f"platform: {self.platform}" if self.platform else self.kind
            return f"Not reported by this {source}."
        return {
            "NotSupported": "This card or driver doesn't report it.",
            "NoPermission": "This account may not read it.",
            "FunctionNotFound": "The driver is too old to report it.",
        }.get(name, f"The driver says: {fault}.")


@dataclass(frozen=True, slots=True)
class _Memory:
    total: int | None = None
    reserved: int | None = None
    used: int | None = None
    free: int | None = None


def read_card(library: NvmlLibrary, index: int, platform: str) -> GpuReading:
    """Ask one card for everything.

    Args:
        library: NVML, started.
        index: NVML's index.
        platform: As `platform_of_driver` tells.

    Raises:
        CardLostError: The card doesn't answer any more.
    """
    try:
        handle = library.nvmlDeviceGetHandleByIndex(index)
    except library.NVMLError as fault:
        raise CardLostError from fault
    card = _Questions(library, handle, platform)
    return replace(
        _with_health(_with_memory(_identity(card, index), card), card),
        missing=MappingProxyType(card.missing),
    )


def _identity(card: _Questions, index: int) -> GpuReading:
    """What a card is; it decides what the card can't be asked."""
    ask = card.ask
    virtualization = _VIRTUALIZATIONS.get(
        whole(ask("virtualization", "nvmlDeviceGetVirtualizationMode")), ""
    )
    is_divided = _is_divided(card)
    card.kind = _kind(virtualization, is_divided)
    return GpuReading(
        index=index,
        uuid=text(ask("uuid", "nvmlDeviceGetUUID")),
        name=text(ask("name", "nvmlDeviceGetName")) or "NVIDIA card",
        architecture=_architecture(card),
        compute_capability=capability(
            ask("compute_capability", "nvmlDeviceGetCudaComputeCapability")
        ),
        is_display_attached=flag(
            ask("is_display_attached", "nvmlDeviceGetDisplayMode")
        ),
        is_divided=is_divided,
        slices=tuple(_slices(card)) if is_divided else (),
        virtualization=virtualization,
    )


def _with_memory(reading: GpuReading, card: _Questions) -> GpuReading:
    memory = _memory(card)
    return replace(
        reading,
        total_bytes=memory.total,
        used_bytes=memory.used,
        free_bytes=memory.free,
        reserved_bytes=memory.reserved,
        is_unified=_is_unified(card),
        processes=_processes(card),
        ecc=flag(card.ask("ecc", "nvmlDeviceGetEccMode")),
        ecc_errors=_ecc_errors(card),
    )


def _with_health(reading: GpuReading, card: _Questions) -> GpuReading:
    ask = card.ask
    rates = ask("utilization", "nvmlDeviceGetUtilizationRates")
    if rates is None:
        card.missing["memory_utilization"] = card.missing["utilization"]
    return replace(
        reading,
        utilization=share(getattr(rates, "gpu", None)),
        memory_utilization=share(getattr(rates, "memory", None)),
        temperature_c=_temperature(card),
        slowdown_c=_slowdown(card),
        power_w=watts(ask("power_w", "nvmlDeviceGetPowerUsage")),
        power_limit_w=watts(ask("power_limit_w", "nvmlDeviceGetEnforcedPowerLimit")),
        sm_clock_mhz=_clock(card, "sm_clock", _SM_CLOCK),
        sm_clock_max_mhz=_highest_clock(card, "sm_clock", _SM_CLOCK),
        memory_clock_mhz=_clock(card, "memory_clock", _MEMORY_CLOCK),
        memory_clock_max_mhz=_highest_clock(card, "memory_clock", _MEMORY_CLOCK),
        throttle_reasons=_throttles(card),
        fan=share(ask("fan", "nvmlDeviceGetFanSpeed")),
        pcie=_pcie(card),
    )


def _is_divided(card: _Questions) -> bool | None:
    """Whether slices are made; NVML refuses the question to cards without them."""
    answer = card.ask("is_divided", "nvmlDeviceGetMigMode")
    if card.faults.get("is_divided") == "NotSupported":
        del card.missing["is_divided"]
        return False
    return flag(answer)


def _kind(virtualization: str, is_divided: bool | None) -> str:
    if virtualization == "vgpu":
        return "virtual card (vGPU)"
    return "divided card (MIG)" if is_divided else ""


def _architecture(card: _Questions) -> str:
    answer = card.ask("architecture", "nvmlDeviceGetArchitecture")
    return _ARCHITECTURES.get(whole(answer), "")


def _memory(card: _Questions) -> _Memory:
    """What the card has; the newer call tells the reserved part apart."""
    newer = card.library.nvmlMemory_v2
    answer = card.ask("reserved_bytes", "nvmlDeviceGetMemoryInfo", newer)
    if answer is None:
        answer = card.ask("total_bytes", "nvmlDeviceGetMemoryInfo")
    total = number(getattr(answer, "total", None))
    if not total:
        # Unified memory: some drivers refuse, others answer with zeros.
        reason = card.missing.pop("total_bytes", _NO_OWN_MEMORY)
        card.missing.update(dict.fromkeys(_MEMORY_FIGURES, reason))
        return _Memory()
    return _Memory(
        total,
        number(getattr(answer, "reserved", None)),
        number(getattr(answer, "used", None)),
        number(getattr(answer, "free", None)),
    )


def _is_unified(card: _Questions) -> bool:
    """Whether the memory is missing because the card has none of its own.

    Source: on GB10 and Jetson `nvmlDeviceGetMemoryInfo` answers NOT_SUPPORTED in both
    versions, or zeros; a container that may not see a divided card's memory gets
    NO_PERMISSION, an old driver FUNCTION_NOT_FOUND.
    """
    if "total_bytes" not in card.missing or card.kind:
        return False
    is_unified = card.faults.get("total_bytes", "NotSupported") == "NotSupported"
    if is_unified:
        card.missing.update(dict.fromkeys(_MEMORY_FIGURES, _NO_OWN_MEMORY))
    return is_unified


def _processes(card: _Questions) -> tuple[GpuProcess, ...]:
    found: dict[int, GpuProcess] = {}
    for kind in ("Compute", "Graphics"):
        for told in _running(card, kind):
            pid = number(getattr(told, "pid", None))
            if pid is not None:
                used = number(getattr(told, "usedGpuMemory", None))
                found[pid] = _larger(found.get(pid), pid, used)
    # Where the platform hides the figures they are None, which sorts last.
    return tuple(sorted(found.values(), key=lambda held: -(held.used_bytes or -1)))


def _running(card: _Questions, kind: str) -> Iterable[object]:
    """The processes of a kind; drivers before 510 know the second version only.

    The binding's unversioned call raises no NVMLError where the driver is older.
    """
    known = dict(card.missing)
    answer = card.ask("processes", f"nvmlDeviceGet{kind}RunningProcesses_v3")
    if card.faults.pop("processes", "") == "FunctionNotFound":
        card.missing = known
        answer = card.ask("processes", f"nvmlDeviceGet{kind}RunningProcesses_v2")
    return listed(answer)


def _larger(known: GpuProcess | None, pid: int, used: int | None) -> GpuProcess:
    """One entry for a program that draws and computes: both calls tell all of it."""
    if known is None:
        return GpuProcess(pid, name_of(pid), used)
    figures = [x for x in (known.used_bytes, used) if x is not None]
    return GpuProcess(pid, known.name, max(figures, default=None))


def _temperature(card: _Questions) -> int | None:
    sensor = card.library.NVML_TEMPERATURE_GPU
    return number(card.ask("temperature_c", "nvmlDeviceGetTemperature", sensor))


def _slowdown(card: _Questions) -> int | None:
    kind = card.library.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
    return number(card.ask("slowdown_c", "nvmlDeviceGetTemperatureThreshold", kind))


def _clock(card: _Questions, name: str, kind: int) -> int | None:
    return number(card.ask(f"{name}_mhz", "nvmlDeviceGetClockInfo", kind))


def _highest_clock(card: _Questions, name: str, kind: int) -> int | None:
    return number(card.ask(f"{name}_max_mhz", "nvmlDeviceGetMaxClockInfo", kind))


def _throttles(card: _Questions) -> tuple[str, ...] | None:
    # The call's older name, which every driver has.
    call = "nvmlDeviceGetCurrentClocksThrottleReasons"
    bits = number(card.ask("throttle_reasons", call))
    if bits is None:
        return None
    if bits & _HARDWARE_CAUSES:
        bits &= ~_HARDWARE_SLOWDOWN  # set with each of its causes
    return tuple(words for bit, words in _THROTTLES.items() if bits & bit)


def _pcie(card: _Questions) -> PcieLink | None:
    figures = [
        number(card.ask("pcie", call))
        for call in (
            "nvmlDeviceGetCurrPcieLinkGeneration",
            "nvmlDeviceGetCurrPcieLinkWidth",
            "nvmlDeviceGetMaxPcieLinkGeneration",
            "nvmlDeviceGetMaxPcieLinkWidth",
        )
    ]
    known = [figure for figure in figures if figure is not None]
    return PcieLink(*known) if len(known) == len(figures) else None


def _ecc_errors(card: _Questions) -> int | None:
    call = "nvmlDeviceGetTotalEccErrors"
    return number(card.ask("ecc_errors", call, _UNCORRECTED, _SINCE_START))


def _slices(card: _Questions) -> Iterator[GpuSlice]:
    most = whole(card.ask("slices", "nvmlDeviceGetMaxMigDeviceCount"))
    for index in range(most):
        try:
            part = card.library.nvmlDeviceGetMigDeviceHandleByIndex(card.handle, index)
        except card.library.NVMLError:
            continue  # the place is not taken
        yield _read_slice(_Questions(card.library, part, card.platform))


def _read_slice(part: _Questions) -> GpuSlice:
    memory = _memory(part)
    return GpuSlice(
        uuid=text(part.ask("uuid", "nvmlDeviceGetUUID")),
        name=text(part.ask("name", "nvmlDeviceGetName")) or "Slice",
        total_bytes=memory.total,
        used_bytes=memory.used,
        free_bytes=memory.free,
        missing=MappingProxyType(part.missing),
    )
