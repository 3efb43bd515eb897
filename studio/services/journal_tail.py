"""Follows a run that this window did not start, by what its engine writes down."""

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio.domain.errors import StudioError
from studio.services.run_journal import (
    empty_snapshot,
    fold_all,
    with_liveness,
)
from studio.storage.run_directory import RunDirectory

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

    def __init__(self, directory: RunDirectory, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._directory = directory
        self._offset = 0
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
        if not self._read():
            return
        self.snapshot_changed.emit(self.snapshot)
        if self.snapshot.state.is_over:
            self._clock.stop()
            self.tail_ended.emit(self.snapshot)
