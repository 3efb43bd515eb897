"""The machine besides its cards: processor, main memory, disk."""

import functools
import platform
import shutil
import threading
import time
from pathlib import Path
from typing import Self

import psutil

from studio.domain.hardware import MachineReading
from studio.system.bounded import Bounded
from studio.system.gpu_findings import broken_binding, no_answer
from studio.system.graphics import other_graphics, with_graphics
from studio.system.nvml import GpuSurvey, Nvml
from studio.system.paths import data_dir

DRIVER_LIMIT_S = 5.0
"""A driver that takes longer to answer is taken for wedged."""

_CPUINFO = Path("/proc/cpuinfo")
# Matrix products in bf16: without one of these they are emulated, slower than fp32.
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def read_machine(
    survey: GpuSurvey, processor_load: float | None = None
) -> MachineReading:
    """The whole machine now.

    Args:
        survey: Its cards, as they were just surveyed.
        processor_load: As `ProcessorLoad` measured it.
    """
    graphics = other_graphics()
    memory = psutil.virtual_memory()
    return MachineReading(
        gpus=survey.gpus,
        gpu_finding=with_graphics(survey.finding, graphics),
        gpu_remarks=survey.remarks,
        other_graphics=graphics,
        driver_version=survey.driver_version,
        cuda_version=survey.cuda_version,
        processor=processor_name(),
        processor_cores=processor_cores(),
        processor_has_bf16=processor_has_bf16(),
        processor_load=processor_load,
        ram_total_bytes=memory.total,
        ram_available_bytes=memory.available,
        disk_free_bytes=disk_free(data_dir()),
        read_at=time.time(),
    )


class ProcessorLoad:
    """How busy the processor was since it was last asked.

    `psutil.cpu_percent` would tell it, but leaves a dummy of each thread that isn't
    Python's own, such as a QThread, in Python's list of threads.
    """

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None

    def read(self) -> float | None:
        """Share of the time in which all cores worked, 0 to 1; None at first."""
        counted: dict[str, float] = psutil.cpu_times()._asdict()
        # Linux counts a guest's time within the user's already.
        whole = sum(t for name, t in counted.items() if not name.startswith("guest"))
        idle = counted["idle"] + counted.get("iowait", 0.0)
        before, self._before = self._before, (whole, idle)
        if before is None or whole <= before[0]:
            return None
        return 1 - min(1.0, (idle - before[1]) / (whole - before[0]))


class MachineReader:
    """Reads the machine again and again, for programs without a window.

    Use as a context manager; the driver stays open meanwhile, so that a card isn't
    woken and laid to rest at each look.
    """

    def __init__(self, limit_s: float = DRIVER_LIMIT_S) -> None:
        """Make a reader.

        Args:
            limit_s: Longest wait for a driver that may be wedged.
        """
        self._limit_s = limit_s
        self._nvml = Nvml()
        self._driver = Bounded(lambda: _surveyed(self._nvml))
        self._never = threading.Event()
        self._answered = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_fault: object) -> None:
        self._driver.close()
        if self._answered:  # else this would wait for it as well
            self._nvml.close()

    def read(self) -> MachineReading:
        """The whole machine now; without cards while the driver doesn't answer."""
        survey = self._driver.ask(self._limit_s, self._never)
        self._answered = survey is not None
        return read_machine(survey or GpuSurvey(finding=no_answer(self._limit_s)))


def read_machine_once(limit_s: float = DRIVER_LIMIT_S) -> MachineReading:
    """The whole machine now, cards included, for programs that look once.

    Args:
        limit_s: Longest wait for a driver that may be wedged.
    """
    driver = Bounded(_survey_once)
    survey = driver.ask(limit_s, threading.Event())
    driver.close()
    return read_machine(survey or GpuSurvey(finding=no_answer(limit_s)))


def _survey_once() -> GpuSurvey:
    nvml = Nvml()
    try:
        return _surveyed(nvml)
    finally:
        nvml.close()


def _surveyed(nvml: Nvml) -> GpuSurvey:
    try:
        return nvml.survey()
    except Exception as fault:  # noqa: BLE001 - a driver's binding may raise anything
        return GpuSurvey(finding=broken_binding(fault))


def disk_free(path: Path) -> int:
    """Bytes free on the disk where a path lies or would lie."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


@functools.cache
def processor_name() -> str:
    """The processor as its maker calls it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


@functools.cache
def processor_cores() -> int:
    """Physical cores."""
    return psutil.cpu_count(logical=False) or psutil.cpu_count() or 1


@functools.cache
def processor_has_bf16() -> bool:
    """Whether it multiplies bf16 at full speed; false where that can't be told."""
    # Intel and AMD list "flags", Arm "Features".
    flags = _cpuinfo("flags") or _cpuinfo("Features")
    return bool(_BF16_FLAGS & set(flags.split()))


def _cpuinfo(key: str) -> str:
    try:
        text = _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""
