"""The last five minutes of the machine, kept from the window's start.

Charts are imported at the first visit of the Hardware page; what was measured before
must not be lost to them.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QObject, Slot

from studio.domain.hardware import MachineReading
from studio.services.hardware_monitor import HardwareMonitor

SPAN_S: Final = 300.0


class ReadingHistory(QObject):
    """Readings of the last five minutes, oldest first."""

    def __init__(
        self, hardware: HardwareMonitor, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._readings: deque[MachineReading] = deque()
        hardware.reading_changed.connect(self._on_reading_changed)

    def readings(self) -> Sequence[MachineReading]:
        """What was measured, oldest first."""
        return tuple(self._readings)

    @Slot(object)
    def _on_reading_changed(self, reading: MachineReading) -> None:
        self._readings.append(reading)
        while self._readings[0].read_at < reading.read_at - SPAN_S:
            self._readings.popleft()
