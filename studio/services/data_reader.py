"""Data files, read beside the window."""

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.dataset import ChatFile
from studio.domain.finding import Finding
from studio.domain.recipe_options import DataOptions
from studio.services.background import BackgroundCall
from studio.storage.data_sets import read_data


class DataReader(QObject):
    """Reads one data file at a time; the newest order wins.

    Signals:
        file_read(object): The `ChatFile` that was ordered last.
        reading_failed(object): A `Finding` about the file that was ordered last.
    """

    file_read = Signal(object)
    reading_failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._calls: list[BackgroundCall] = []
        self._newest: BackgroundCall | None = None

    @property
    def is_reading(self) -> bool:
        """Whether a file is being read."""
        return bool(self._calls)

    def read(self, data: DataOptions) -> None:
        """Read what a recipe names; what an earlier order finds isn't told any more."""
        call = BackgroundCall(lambda: read_data(data))
        call.call_done.connect(self._on_call_done)
        call.call_failed.connect(self._on_call_failed)
        self._calls.append(call)
        self._newest = call
        call.start()

    def close(self) -> None:
        """Wait until no thread reads any more."""
        for call in self._calls:
            call.wait()
        self._calls.clear()

    @Slot(object)
    def _on_call_done(self, chats: ChatFile) -> None:
        if self._is_newest():
            self.file_read.emit(chats)

    @Slot(object)
    def _on_call_failed(self, finding: Finding) -> None:
        if self._is_newest():
            self.reading_failed.emit(finding)

    def _is_newest(self) -> bool:
        """Whether the call that reports is the newest; it is let go either way."""
        call = self.sender()
        if not isinstance(call, BackgroundCall) or call not in self._calls:
            return False  # closed meanwhile
        call.wait()
        self._calls.remove(call)
        return call is self._newest
