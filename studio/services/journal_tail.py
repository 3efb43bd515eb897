"""Follows a run that this window did not start, by what its engine writes down.

It takes the run's lead as soon as nobody else has it, and then an engine that memory
ran out for is told of only when it has given everything back. Where another program
leads the run, such an engine's end is the run's only if no other one follows.
"""

import time

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio.domain.errors import StudioError
from studio.services.engine_process import EXIT_PATIENCE_S
from studio.services.lead import Lead
from studio.services.leading import ran_out
from studio.services.run_journal import (
    empty_snapshot,
    fold_all,
    with_liveness,
)
from studio.storage.run_directory import RunDirectory
from studio.system.processes import is_alive, kill_group

_EVERY_MS = 200


class JournalTail(QObject):
    """Reads what is new in a journal five times a second, until the run is over.

    Attributes:
        snapshot: What the journal has told so far.

    Signals:
        snapshot_changed(object): The `RunSnapshot` after new events.
        tail_ended(object): The last `RunSnapshot`; its state is over.
    """

    snapshot_changed = Signal(object)
    tail_ended = Signal(object)

    def __init__(
        self, directory: RunDirectory, lead: Lead, parent: QObject | None = None
    ) -> None:
        """Read what there is.

        Args:
            directory: Of the run.
            lead: Of it; taken while its engine lives, and let go of by the caller.
            parent: Qt's owner.
        """
        super().__init__(parent)
        self._directory = directory
        self._lead = lead
        self._offset = 0
        self._over_since: float | None = None
        self.snapshot = empty_snapshot(directory)
        self._read()
        self._clock = QTimer(self)
        self._clock.setInterval(_EVERY_MS)
        self._clock.timeout.connect(self._on_timeout)

    def start(self) -> None:
        """Begin to follow; at once at the end when the run is already over."""
        if self.snapshot.state.is_over:
            self.tail_ended.emit(self.snapshot)
        else:
            self._seek_lead()
            self._clock.start()

    def stop(self) -> None:
        """Follow no more."""
        self._clock.stop()

    def _read(self) -> bool:
        """Fold what is new; whether anything changed."""
        # Asked before reading: a death behind the last event must not hide it.
        present = with_liveness(self.snapshot)
        try:
            events, self._offset = self._directory.events_from(self._offset)
        except StudioError:
            return False  # a share that is gone for a moment; the next turn tries again
        if events:
            self.snapshot = fold_all(self.snapshot, events)
            return True
        changed = present != self.snapshot
        self.snapshot = present
        return changed

    @Slot()
    def _on_timeout(self) -> None:
        if self._read():
            self.snapshot_changed.emit(self.snapshot)
        if not self.snapshot.state.is_over:
            self._over_since = None
            self._seek_lead()
        elif not (ran_out(self.snapshot) and self._is_to_wait()):
            self._clock.stop()
            self.tail_ended.emit(self.snapshot)

    def _seek_lead(self) -> None:
        # Before its engine's first word a run is still being started by somebody.
        if self.snapshot.engine is not None:
            self._lead.take_if_free()

    def _is_to_wait(self) -> bool:
        """Whether an engine that memory ran out for may not be the run's last."""
        if self._lead.is_held:
            return self._still_ends()
        # Its leader may have let go because the run came to its end meanwhile.
        return self._lead.is_elsewhere() or self._tells_more()

    def _still_ends(self) -> bool:
        """Whether the engine holds memory yet; one that hangs is ended."""
        engine = self.snapshot.engine
        if engine is None or not is_alive(engine):
            return False
        self._over_since = self._over_since or time.monotonic()
        if time.monotonic() - self._over_since > EXIT_PATIENCE_S:
            kill_group(engine)
        return True

    def _tells_more(self) -> bool:
        has_more = self._read()
        if has_more:
            self.snapshot_changed.emit(self.snapshot)
        return has_more
