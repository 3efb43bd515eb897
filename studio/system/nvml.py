"""NVIDIA cards through NVML, where every single figure may be missing.

Virtual cards, slices, laptops, old drivers and unified memory each leave out other
figures, so each call is guarded by itself and leaves its reason. A wedged driver
blocks calls for good: never call this in a thread that somebody waits for
(`studio.system.bounded`).
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, TypeVar

from studio.domain.finding import Finding
from studio.domain.hardware import GpuProcess, GpuReading
from studio.system.gpu_findings import driver_finding, no_card
from studio.system.processes import name_of

Answer = TypeVar("Answer")


class NvmlLibrary(Protocol):
    """The part of the module pynvml that is used; its calls raise its `NVMLError`."""

    NVMLError: type[Exception]
    nvmlMemory_v2: int  # noqa: N815 - NVML's own name
    NVML_TEMPERATURE_GPU: int
    NVML_TEMPERATURE_THRESHOLD_SLOWDOWN: int

    def __getattr__(self, name: str) -> Callable[..., object]:
        """A function of NVML; old drivers lack some of them at the call."""


@dataclass(frozen=True, slots=True)
class GpuSurvey:
    """The cards at one moment.

    Attributes:
        gpus: Those that answered, by index.
        finding: Why there are none, or what is wrong with the driver.
        driver_version: Empty without a driver.
        cuda_version: The newest CUDA that the driver takes; empty without one.
    """

    gpus: tuple[GpuReading, ...] = ()
    finding: Finding | None = None
    driver_version: str = ""
    cuda_version: str = ""


class Nvml:
    """NVML, started on the first reading and started anew after a fault."""

    def __init__(self, library: NvmlLibrary | None = None) -> None:
        self._given = library
        self._is_started = False

    @functools.cached_property
    def _library(self) -> NvmlLibrary:
        # On first use: the binding is large, and the window opens without it.
        return self._given or load_library()

    def survey(self) -> GpuSurvey:
        """Ask every card for everything; takes some milliseconds a card."""
        library = self._library
        try:
            if not self._is_started:
                library.nvmlInit()
                self._is_started = True
            count = _whole(library.nvmlDeviceGetCount())
        except library.NVMLError as fault:
            self.close()
            return GpuSurvey(finding=driver_finding(fault))
        gpus = tuple(_read_card(library, index) for index in range(count))
        answered = tuple(gpu for gpu in gpus if gpu is not None)
        return GpuSurvey(
            answered,
            None if answered else no_card(len(gpus)),
            _text(_ask(library, library.nvmlSystemGetDriverVersion)),
            _cuda(_ask(library, library.nvmlSystemGetCudaDriverVersion_v2)),
        )

    def close(self) -> None:
        """Let the driver go; the next reading starts it again."""
        if self._is_started:
            self._is_started = False
            _ask(self._library, self._library.nvmlShutdown)


@dataclass(slots=True)
class _Questions:
    """Asks one card, and keeps for each figure that is missing the reason."""

    library: NvmlLibrary
    handle: object
    missing: dict[str, str] = field(default_factory=dict)

    def ask(self, figure: str, call: Callable[..., object], *given: object) -> object:
        """The answer of a call, or None with its reason kept."""
        try:
            return call(self.handle, *given)
        except self.library.NVMLError as fault:
            self.missing[figure] = _reason(fault)
            return None


def _read_card(library: NvmlLibrary, index: int) -> GpuReading | None:
    try:
        handle = library.nvmlDeviceGetHandleByIndex(index)
    except library.NVMLError:
        return None
    card = _Questions(library, handle)
    total, reserved, used, free = _memory(card)
    threshold = library.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
    ask = card.ask
    return GpuReading(
        index=index,
        uuid=_text(ask("uuid", library.nvmlDeviceGetUUID)),
        name=_text(ask("name", library.nvmlDeviceGetName)) or "NVIDIA card",
        compute_capability=_capability(
            ask("compute_capability", library.nvmlDeviceGetCudaComputeCapability)
        ),
        total_bytes=total,
        used_bytes=used,
        free_bytes=free,
        reserved_bytes=reserved,
        processes=_processes(card),
        utilization=_share(ask("utilization", library.nvmlDeviceGetUtilizationRates)),
        temperature_c=_number(
            ask(
                "temperature_c",
                library.nvmlDeviceGetTemperature,
                library.NVML_TEMPERATURE_GPU,
            )
        ),
        slowdown_c=_number(
            ask("slowdown_c", library.nvmlDeviceGetTemperatureThreshold, threshold)
        ),
        power_w=_watts(ask("power_w", library.nvmlDeviceGetPowerUsage)),
        power_limit_w=_watts(
            ask("power_limit_w", library.nvmlDeviceGetEnforcedPowerLimit)
        ),
        missing=MappingProxyType(card.missing),
    )


def _memory(
    card: _Questions,
) -> tuple[int | None, int | None, int | None, int | None]:
    """(total, reserved, used, free) in bytes; the newer call tells the reserved."""
    library = card.library
    call = library.nvmlDeviceGetMemoryInfo
    answer = card.ask("reserved_bytes", call, library.nvmlMemory_v2)
    if answer is None:
        answer = card.ask("total_bytes", call)
    total = _number(getattr(answer, "total", None))
    if not total:
        # Unified memory: some drivers refuse, others answer with zeros.
        reason = card.missing.pop("total_bytes", "The card has no memory of its own.")
        for figure in ("total_bytes", "reserved_bytes", "used_bytes", "free_bytes"):
            card.missing[figure] = reason
        return None, None, None, None
    reserved = getattr(answer, "reserved", None)
    used, free = getattr(answer, "used", None), getattr(answer, "free", None)
    return total, _number(reserved), _number(used), _number(free)


def _processes(card: _Questions) -> tuple[GpuProcess, ...]:
    library = card.library
    found: dict[int, GpuProcess] = {}
    for call in (
        library.nvmlDeviceGetComputeRunningProcesses,
        library.nvmlDeviceGetGraphicsRunningProcesses,
    ):
        for told in _listed(card.ask("processes", call)):
            pid = _number(getattr(told, "pid", None))
            if pid is not None:
                used = _number(getattr(told, "usedGpuMemory", None))
                found[pid] = _larger(found.get(pid), pid, used)
    # Where the platform hides the figures they are None, which sorts last.
    return tuple(sorted(found.values(), key=lambda held: -(held.used_bytes or -1)))


def _larger(known: GpuProcess | None, pid: int, used: int | None) -> GpuProcess:
    """One entry for a program that draws and computes: both calls tell all of it."""
    if known is None:
        return GpuProcess(pid, name_of(pid), used)
    figures = [x for x in (known.used_bytes, used) if x is not None]
    return GpuProcess(pid, known.name, max(figures, default=None))


def _ask(library: NvmlLibrary, call: Callable[[], object]) -> object:
    try:
        return call()
    except library.NVMLError:
        return None


def _reason(fault: Exception) -> str:
    return {
        "NotSupported": "This card or driver doesn't report it.",
        "NoPermission": "This account may not read it.",
        "FunctionNotFound": "The driver is too old to report it.",
        "GpuIsLost": "The card stopped answering; restart the machine.",
    }.get(type(fault).__name__.removeprefix("NVMLError_"), f"The driver says: {fault}.")


def _listed(answer: object) -> Iterable[object]:
    return answer if isinstance(answer, Sequence) else ()


def _number(answer: object) -> int | None:
    return answer if isinstance(answer, int) else None


def _whole(answer: object) -> int:
    return answer if isinstance(answer, int) else 0


def _watts(answer: object) -> float | None:
    return answer / 1000 if isinstance(answer, int) else None


def _share(answer: object) -> float | None:
    percent = getattr(answer, "gpu", None)
    return percent / 100 if isinstance(percent, int) else None


def _capability(answer: object) -> tuple[int, int] | None:
    match answer:
        case (int(major), int(minor)):
            return major, minor
    return None


def _text(answer: object) -> str:
    if isinstance(answer, bytes):
        return answer.decode("utf-8", "replace")
    return answer if isinstance(answer, str) else ""


def _cuda(answer: object) -> str:
    if not isinstance(answer, int):
        return ""
    return f"{answer // 1000}.{answer % 1000 // 10}"


def load_library() -> NvmlLibrary:
    """The driver's own binding, imported on first use."""
    import pynvml

    library: NvmlLibrary = pynvml
    return library
