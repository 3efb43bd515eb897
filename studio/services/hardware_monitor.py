"""The machine, measured once a second beside the window.

The GUI thread never calls the driver: a thread polls, and each call of the driver has
a time limit, so even a wedged one leaves the window alive.
"""

import threading
from dataclasses import replace

from PySide6.QtCore import QObject, QThread, Signal, Slot

from studio.domain.finding import Finding
from studio.domain.hardware import MachineReading
from studio.services.background import unexpected
from studio.system.bounded import Bounded
from studio.system.gpu_findings import broken_binding, no_answer
from studio.system.machine import DRIVER_LIMIT_S, ProcessorLoad, read_machine
from studio.system.nvml import GpuSurvey, Nvml


class HardwareMonitor(QObject):
    """Polls cards, memory and disk.

    Signals:
        reading_changed(object): A new `MachineReading`.
        polling_failed(object): A `Finding`; no further reading comes until `start`.
    """

    reading_changed = Signal(object)
    polling_failed = Signal(object)

    def __init__(
        self,
        nvml: Nvml | None = None,
        *,
        driver_limit_s: float = DRIVER_LIMIT_S,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._nvml = nvml or Nvml()
        self._driver_limit_s = driver_limit_s
        self._thread: _PollingThread | None = None
        self._latest: MachineReading | None = None
        self._headroom_bytes: int | None = None

    @property
    def latest(self) -> MachineReading | None:
        """The last reading; None before the first."""
        return self._latest

    def start(self, interval_s: float = 1.0) -> None:
        """Begin to poll; nothing happens when it already does."""
        if self._thread is not None:
            return
        self._thread = _PollingThread(self._nvml, interval_s, self._driver_limit_s)
        self._thread.reading_arrived.connect(self._on_reading_arrived)
        self._thread.polling_broke.connect(self._on_polling_broke)
        self._thread.start()

    def refresh(self) -> None:
        """Measure now instead of at the next turn, the driver asked anew."""
        if self._thread is not None:
            self._nvml.look_again()
            self._thread.wake.set()

    def stop(self) -> None:
        """End polling and wait for the thread."""
        if self._thread is None:
            return
        self._thread.is_over.set()
        self._thread.wake.set()
        self._thread.wait()
        self._thread = None

    def set_headroom(self, headroom_bytes: int | None) -> None:
        """Leave so much free in every reading from now on; None for the usual."""
        self._headroom_bytes = headroom_bytes
        if self._latest is not None:
            self._on_reading_arrived(self._latest)

    @Slot(object)
    def _on_reading_arrived(self, reading: MachineReading) -> None:
        self._latest = replace(reading, headroom_bytes=self._headroom_bytes)
        self.reading_changed.emit(self._latest)

    @Slot(object)
    def _on_polling_broke(self, finding: Finding) -> None:
        self.stop()
        self.polling_failed.emit(finding)


class _PollingThread(QThread):
    """Measures until told otherwise.

    Attributes:
        wake: Ends the pause between two readings.
        is_over: Ends the polling.
    """

    reading_arrived = Signal(object)
    polling_broke = Signal(object)

    def __init__(self, nvml: Nvml, interval_s: float, limit_s: float) -> None:
        super().__init__()
        self.wake = threading.Event()
        self.is_over = threading.Event()
        self._driver = Bounded(lambda: _survey(nvml))
        self._interval_s = interval_s
        self._limit_s = limit_s
        self._last = GpuSurvey()
        self._load = ProcessorLoad()

    def run(self) -> None:
        """Poll; Qt calls this in the new thread."""
        try:
            while not self.is_over.is_set():
                self.wake.clear()
                self._measure()
                self.wake.wait(self._interval_s)
        except Exception as fault:  # noqa: BLE001 - a worker's top: every end is told
            self.polling_broke.emit(unexpected(fault))
        finally:
            self._driver.close()

    def _measure(self) -> None:
        survey = self._driver.ask(self._limit_s, self.is_over)
        if not self.is_over.is_set():
            self._last = survey or _stale(self._last, self._limit_s)
            load = self._load.read()
            self.reading_arrived.emit(read_machine(self._last, load))


def _survey(nvml: Nvml) -> GpuSurvey:
    try:
        return nvml.survey()
    except Exception as fault:  # noqa: BLE001 - a driver's binding may raise anything
        return GpuSurvey(finding=broken_binding(fault))


def _stale(last: GpuSurvey, limit_s: float) -> GpuSurvey:
    """A driver that blocks: no figure of its cards holds any more."""
    return replace(last, gpus=(), finding=no_answer(limit_s), remarks=())
