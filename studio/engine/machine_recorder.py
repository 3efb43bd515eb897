"""Records the machine beside a run, whoever watches the run.

The engine does it, not the window, so that a run of the command line and one that
outlives its window are recorded as well. Nothing of it may cost a run: the driver is
asked with a time limit in a thread of its own, and a full disk ends the recording only.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import psutil

from studio.domain.hardware import GpuReading, MachineReading
from studio.domain.waypoints import passing
from studio.protocol.machine_sample import MachineSample, encode_sample
from studio.storage.run_directory import RunDirectory
from studio.system.bounded import Bounded
from studio.system.gpu_findings import broken_binding, no_answer
from studio.system.machine import DRIVER_LIMIT_S, ProcessorLoad, read_machine
from studio.system.nvml import GpuSurvey, Nvml
from studio.system.platform_words import platform_of_driver

_EVERY_S: Final = 1.0
_LATER_EVERY_S: Final = 10.0
_FIRST_PART_S: Final = 3600.0
"""A week at one line a second would be 100 MB; after an hour every tenth is kept."""


@contextmanager
def recorded(directory: RunDirectory, nvml: Nvml | None = None) -> Iterator[None]:
    """Record into a run's directory while inside."""
    recorder = _Recorder(directory.machine_path, nvml or Nvml())
    thread = threading.Thread(target=recorder.run, name="machine recorder", daemon=True)
    thread.start()
    try:
        yield
    finally:
        recorder.is_over.set()
        thread.join()


class _Recorder:
    """Appends a sample a second until it is over."""

    def __init__(self, path: Path, nvml: Nvml) -> None:
        self.is_over = threading.Event()
        self._path = path
        self._driver = Bounded(_asked(nvml))
        self._load = ProcessorLoad()
        self._began = time.monotonic()

    def run(self) -> None:
        """Record; ends early, in silence, when the disk refuses."""
        with contextlib.suppress(OSError), self._path.open("ab") as file:
            while not self.is_over.is_set():
                self._append(file)
                self.is_over.wait(self._pause_s())
        self._driver.close()

    def _append(self, file: IO[bytes]) -> None:
        survey = self._driver.ask(DRIVER_LIMIT_S, self.is_over)
        if self.is_over.is_set():
            return
        survey = survey or GpuSurvey(finding=no_answer(DRIVER_LIMIT_S))
        reading = read_machine(survey, self._load.read())
        file.write(encode_sample(sample_of(reading, os.getpid())))
        file.flush()

    def _pause_s(self) -> float:
        since = time.monotonic() - self._began
        return _EVERY_S if since < _FIRST_PART_S else _LATER_EVERY_S


def sample_of(reading: MachineReading, pid: int) -> MachineSample:
    """A reading as a sample of the run whose engine has a process id."""
    device, card = reading.device(), reading.card_in_use()
    trouble = reading.gpu_finding
    if card is None:
        return MachineSample(
            total_bytes=device.total_bytes,
            free_bytes=device.free_bytes,
            run_bytes=psutil.Process(pid).memory_info().rss,
            utilization=reading.processor_load,
            trouble="" if trouble is None else trouble.what,
        )
    return MachineSample(
        total_bytes=device.total_bytes,
        free_bytes=device.free_bytes,
        run_bytes=_held_by(card, pid),
        utilization=card.utilization,
        temperature_c=card.temperature_c,
        power_w=card.power_w,
        sm_clock_mhz=card.sm_clock_mhz,
        throttle=card.throttle_reasons or (),
        platform=platform_of_driver(),
    )


def _held_by(card: GpuReading, pid: int) -> int | None:
    return next((p.used_bytes for p in card.processes if p.pid == pid), None)


def _asked(nvml: Nvml) -> Callable[[], GpuSurvey]:
    def ask() -> GpuSurvey:
        try:
            passing("nvml")
            return nvml.survey()
        except Exception as fault:  # noqa: BLE001 - a binding may raise anything
            return GpuSurvey(finding=broken_binding(fault))

    return ask
