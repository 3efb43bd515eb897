"""Data files, read beside the window."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.data_options import DataOptions
from studio.domain.dataset import ChatFile
from studio.domain.finding import Finding
from studio.services.background import BackgroundCall
from studio.storage.data_sets import read_data, read_indexed, read_or_look

if TYPE_CHECKING:
    from studio.storage.data_index import DataIndex


class DataReader(QObject):
    """Reads one data file at a time; the newest order wins.

    Attributes:
        looks_first: Of a large file only the first rows are read; `read_indexed` or
            `read_whole` gives the rest.

    Signals:
        file_read(object): The `ChatFile` that was ordered last.
        reading_failed(object): A `Finding` about the file that was ordered last.
    """

    file_read = Signal(object)
    reading_failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.looks_first = False
        self._calls: list[BackgroundCall] = []
        self._newest: BackgroundCall | None = None

    @property
    def is_reading(self) -> bool:
        """Whether a file is being read."""
        return bool(self._calls)

    def read(self, data: DataOptions) -> None:
        """Read what a recipe names; what an earlier order finds isn't told any more."""
        self._begin(lambda: (read_or_look if self.looks_first else read_data)(data))

    def read_whole(self, data: DataOptions) -> None:
        """Read all rows of a file, however many there are."""
        self._begin(lambda: read_data(data))

    def read_indexed(self, data: DataOptions, index: "DataIndex") -> None:
        """Read a file's rows from where an inspection found them.

        An index that can't be read any more is as good as none.
        """

        def read() -> ChatFile:
            try:
                return read_indexed(data, index)
            except (OSError, ValueError):
                return read_data(data)

        self._begin(read)

    def _begin(self, read: Callable[[], ChatFile]) -> None:
        call = BackgroundCall(read)
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
