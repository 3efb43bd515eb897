"""A run that the window goes on with by itself when its memory has been free.

The wait lives as long as the window, and looks whenever the hardware monitor does.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.errors import StudioError
from studio.domain.free_wait import FreeWait
from studio.domain.hardware import MachineReading
from studio.domain.run import RunSnapshot
from studio.services.hardware_monitor import HardwareMonitor
from studio.services.run_controller import RunController
from studio.services.run_need import RunNeed
from studio.services.run_queue import run_in_progress
from studio.services.run_wait import USUAL_MINUTES, RunWait
from studio.storage.run_directory import RunDirectory

HOLD_S = USUAL_MINUTES * 60


class ResumeWhenFree(QObject):
    """At most one run waits; a click or another window that goes on with it ends that.

    Signals:
        wait_changed: It began, went on, or ended.
        wait_failed(object): It ended for this `Finding` without going on.
    """

    wait_changed = Signal()
    wait_failed = Signal(object)

    def __init__(
        self,
        controller: RunController,
        hardware: HardwareMonitor,
        *,
        clock: Callable[[], float] = time.monotonic,
        parent: QObject | None = None,
    ) -> None:
        """Make one without a wait.

        Args:
            controller: Goes on with the run.
            hardware: Is looked at.
            clock: Seconds that never go back.
            parent: Qt's owner.
        """
        super().__init__(parent)
        self._controller = controller
        self._hardware = hardware
        self._clock = clock
        self._wait: RunWait | None = None
        self._turn = ExitStack()
        hardware.reading_changed.connect(self._on_reading_changed)
        controller.snapshot_changed.connect(self._on_snapshot_changed)
        controller.run_ended.connect(self._on_run_ended)

    def state_for(self, directory: Path) -> FreeWait | None:
        """How far the wait for a run is; None while it doesn't wait."""
        wait = self._wait
        return wait.state if wait and wait.run.path == directory else None

    def begin(self, run: RunSnapshot, need: RunNeed, hold_s: float = HOLD_S) -> None:
        """Wait for a run's memory, in place of any other wait.

        Args:
            run: As its journal tells it.
            need: What it needs.
            hold_s: For how many seconds without a break the memory must be free.

        Raises:
            StudioError: It can't be gone on with, or its memory can never be free.
        """
        reading = self._hardware.latest
        if reading is None:
            return
        self._wait = RunWait(
            run, reading.device(), hold_s, need=need, busy=self._busy_run
        )
        self._look(reading)

    def give_up(self) -> None:
        """Wait no longer; the run stays as it is."""
        if self._wait is not None:
            self._wait = None
            self.wait_changed.emit()

    def _busy_run(self) -> RunDirectory | None:
        own = self._controller.directory
        return own if self._controller.is_running else run_in_progress()

    @Slot(object)
    def _on_reading_changed(self, reading: MachineReading) -> None:
        self._look(reading)

    def _look(self, reading: MachineReading) -> None:
        wait = self._wait
        if wait is None:
            return
        try:
            turn = wait.look(reading.device(), self._clock())
            if turn is not None:
                self._go_on(wait.run, turn)
        except StudioError as refused:
            self._wait = None
            self.wait_failed.emit(refused.finding)
        self.wait_changed.emit()

    def _go_on(self, run: RunDirectory, turn: ExitStack) -> None:
        """Go on with the run; the turn is held until it ends."""
        self._wait = None
        with turn:
            self._controller.resume(run)
            self._turn = turn.pop_all()

    @Slot(object)
    def _on_snapshot_changed(self, told: RunSnapshot) -> None:
        if self.state_for(told.directory) is not None and not told.state.is_over:
            self.give_up()

    @Slot()
    def _on_run_ended(self) -> None:
        self._turn.close()
