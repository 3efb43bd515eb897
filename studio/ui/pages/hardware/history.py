"""The last five minutes of the machine, kept from the window's start.

Charts are imported at the first visit of the Hardware page; what was measured before
must not be lost to them.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PySide6.QtCore import QObject, Slot

from studio.domain.hardware import MachineReading
from studio.services.hardware_monitor import HardwareMonitor
from studio.services.run_controller import RunController
from studio.ui.pages.live_memory import held_by_run

SPAN_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Measured:
    """A reading, and what the run under way held of its device then.

    Attributes:
        reading: The machine.
        run_bytes: None when nothing ran, or nothing was measured of it yet.
    """

    reading: MachineReading
    run_bytes: int | None = None


class ReadingHistory(QObject):
    """Readings of the last five minutes, oldest first."""

    def __init__(
        self,
        hardware: HardwareMonitor,
        controller: RunController,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._readings: deque[Measured] = deque()
        hardware.reading_changed.connect(self._on_reading_changed)

    def readings(self) -> Sequence[Measured]:
        """What was measured, oldest first."""
        return tuple(self._readings)

    @Slot(object)
    def _on_reading_changed(self, reading: MachineReading) -> None:
        held = held_by_run(self._controller.snapshot, reading)
        self._readings.append(Measured(reading, held))
        while self._readings[0].reading.read_at < reading.read_at - SPAN_S:
            self._readings.popleft()
