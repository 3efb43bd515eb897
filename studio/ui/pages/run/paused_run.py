"""A paused run's memory, worked out beside the window, and its wait for it."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.errors import StudioError
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.recipe import Recipe
from studio.domain.run import RunSnapshot, RunState
from studio.services.resume_when_free import ResumeWhenFree
from studio.services.resuming import can_resume
from studio.services.run_need import (
    RunNeed,
    need_of,
    recipe_in_force_of,
    smaller_needs,
)
from studio.ui.pages.desk import Desk
from studio.ui.pages.errand import Errand
from studio.ui.pages.run.going_on import GoingOn, GoingOnInputs, going_on


@dataclass(frozen=True, slots=True)
class _Known:
    """What was worked out, and of which pause."""

    run: RunSnapshot
    need: RunNeed
    smaller: Sequence[tuple[Recipe, MemoryEstimate]]
    in_force: Recipe


class PausedRun(QObject):
    """Tells what going on with the shown run takes, and waits for it when told to.

    Signals:
        paused_changed: More is known, or the wait went on.
    """

    paused_changed = Signal()

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self._desk = desk
        self._asked: RunSnapshot | None = None
        self._device: TrainingDevice | None = None
        self._known: _Known | None = None
        self.wait = ResumeWhenFree(desk.controller, desk.hardware, parent=self)
        self._errand = Errand(self._work_out, self)
        self._errand.errand_done.connect(self._on_worked_out)
        self._errand.errand_failed.connect(desk.notices.post)
        self.wait.wait_changed.connect(self.paused_changed)
        desk.hardware.reading_changed.connect(self._on_reading_changed)

    def going_on(self, snapshot: RunSnapshot) -> GoingOn | None:
        """What going on with a run takes; None unless it is paused, or not known yet.

        What isn't known is sent for, and told by `paused_changed`.
        """
        reading = self._desk.hardware.latest
        if reading is None or snapshot.state is not RunState.PAUSED:
            return None
        known = self._known
        if known is None or not _is_same(known.run, snapshot):
            self._send_for(snapshot, reading.device())
            return None
        return going_on(
            GoingOnInputs(
                snapshot=snapshot,
                need=known.need,
                smaller=known.smaller,
                in_force=known.in_force,
                reading=reading,
                wait=self.wait.state_for(snapshot.directory),
            )
        )

    def look_again(self) -> None:
        """Ask anew for what could not be priced, which a dry run may tell by now."""
        if self._known is not None and self._known.need.bytes is None:
            self._asked = self._known = None

    def choose_to_wait(self, snapshot: RunSnapshot, *, waits: bool) -> None:
        """Let a paused run wait for its memory, or wait no longer."""
        known = self._known
        if not waits or known is None:
            self.wait.give_up()
            return
        try:
            self.wait.begin(snapshot, known.need)
        except StudioError as refused:
            self._desk.notices.post(refused.finding)
        self.paused_changed.emit()

    def _send_for(self, snapshot: RunSnapshot, device: TrainingDevice) -> None:
        if self._asked is None or not _is_same(self._asked, snapshot):
            self._asked, self._device = snapshot, device
            self._errand.run()

    def _work_out(self) -> _Known | None:
        """Price what was asked for; called in a thread."""
        run, device = self._asked, self._device
        if run is None or device is None or not can_resume(run):
            return None
        need = need_of(run, device)
        return _Known(run, need, smaller_needs(need, device), recipe_in_force_of(run))

    @Slot(object)
    def _on_worked_out(self, known: _Known | None) -> None:
        self._known = known
        self.paused_changed.emit()

    @Slot(object)
    def _on_reading_changed(self) -> None:
        if self._known is not None:
            self.paused_changed.emit()


def _is_same(one: RunSnapshot, other: RunSnapshot) -> bool:
    """Whether two snapshots tell of the same pause."""
    return (one.directory, one.engine, one.seconds) == (
        other.directory,
        other.engine,
        other.seconds,
    )
