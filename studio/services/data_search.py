"""Finding rows of a data file by their text, and by their lines.

A small file's rows lie in memory and are searched at once; those of a large one are
read from the disk beside the window, and what was found so far is told on the way.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio.domain.data_options import DataOptions
from studio.domain.dataset import Chat, ChatFile, RowError
from studio.domain.finding import Finding
from studio.services.background import BackgroundCall
from studio.storage.chat_files import StoredChats
from studio.storage.data_reading import Choice, open_data

MOST_FOUND: Final = 1000
"""A search of a large file ends when it has found as many rows."""

_TELL_EVERY: Final = 20_000  # rows
_REST_MS: Final = 250


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found, so far or in all.

    Attributes:
        text: What was searched for.
        places: Of the rows that hold it, in file order.
        searched: How many rows were looked at.
        of: How many there are.
        is_over: Whether the search has ended.
    """

    text: str
    places: Sequence[int]
    searched: int
    of: int
    is_over: bool = True


class DataSearch(QObject):
    """Searches one text at a time; the newest wins.

    Signals:
        rows_found(object): A `SearchResult`, some of them before the search is over.
        search_failed(object): A `Finding`, when the file can't be read any more.
    """

    rows_found = Signal(object)
    search_failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._calls: list[_Call] = []
        self._wanted: tuple[ChatFile, DataOptions, str] | None = None
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._begin)

    def search(self, file: ChatFile, data: DataOptions, text: str) -> None:
        """Look for a text in all turns of all rows, upper and lower case alike.

        Args:
            file: As it was read.
            data: How it was read.
            text: Finds every row when empty.
        """
        self.cancel()
        rows = len(file.chats)
        if not text:
            self.rows_found.emit(SearchResult(text, range(rows), rows, rows))
        elif isinstance(file.chats, StoredChats):
            self._wanted = file, data, text
            self._rest.start()
        else:
            wanted = text.casefold()
            places = [at for at, c in enumerate(file.chats) if holds(c, wanted)]
            self.rows_found.emit(SearchResult(text, places, rows, rows))

    def cancel(self) -> None:
        """Give up what is under way; nothing of it is told any more."""
        self._rest.stop()
        self._wanted = None
        for call in self._calls:
            call.given_up.set()

    def close(self) -> None:
        """Give up and wait for the thread's end."""
        self.cancel()
        for call in self._calls:
            call.wait()
        self._calls.clear()

    @Slot()
    def _begin(self) -> None:
        if self._wanted is not None:
            call = _Call(*self._wanted)
            call.found_so_far.connect(self._on_found)
            call.call_done.connect(self._on_found)
            call.call_failed.connect(self._on_failed)
            call.finished.connect(self._on_finished)
            self._calls.append(call)
            call.start()

    @Slot(object)
    def _on_found(self, result: SearchResult) -> None:
        if self._is_wanted():
            self.rows_found.emit(result)

    @Slot(object)
    def _on_failed(self, finding: Finding) -> None:
        if self._is_wanted():
            self.search_failed.emit(finding)

    @Slot()
    def _on_finished(self) -> None:
        call = self.sender()
        if isinstance(call, _Call) and call in self._calls:
            call.wait()
            self._calls.remove(call)

    def _is_wanted(self) -> bool:
        call = self.sender()
        return isinstance(call, _Call) and not call.given_up.is_set()


def holds(chat: Chat, wanted: str) -> bool:
    """Whether any turn of a row, or its plain text, holds a casefolded text."""
    turns = (*chat.turns, *chat.rejected)
    texts = (chat.text, *(turn.content for turn in turns))
    return any(wanted in text.casefold() for text in texts)


def places_of(chats: Sequence[Chat], lines: Collection[int]) -> list[int]:
    """Where rows of these lines are among those that can be trained on."""
    wanted = frozenset(lines)
    return [at for at, line in enumerate(_lines_of(chats)) if line in wanted]


def last_line(chats: Sequence[Chat]) -> int:
    """The greatest line of a file's rows; 0 without rows.

    Each file of a folder has its own lines; of a folder it is no less than the count
    of all rows, which is told without going through a million of them.
    """
    if not chats:
        return 0
    last = chats.lines[-1] if isinstance(chats, StoredChats) else chats[-1].line
    return max(last, len(chats))


def _lines_of(chats: Sequence[Chat]) -> Iterator[int]:
    if isinstance(chats, StoredChats):
        return iter(chats.lines)
    return (chat.line for chat in chats)


class _Call(BackgroundCall):
    """One search of a large file, in a thread of its own."""

    found_so_far = Signal(object)

    def __init__(self, file: ChatFile, data: DataOptions, text: str) -> None:
        super().__init__(self._search)
        self.given_up = Event()
        self._file, self._choice = Path(file.path), Choice.of(data)
        self._rows, self._text = len(file.chats), text

    def _search(self) -> SearchResult:
        wanted, places, searched = self._text.casefold(), [], 0
        for _, example in open_data(self._file, self._choice).examples():
            if self.given_up.is_set() or searched == self._rows:
                break
            if isinstance(example, RowError):
                continue
            if holds(example, wanted):
                places.append(searched)
            searched += 1
            if len(places) == MOST_FOUND:
                break
            if searched % _TELL_EVERY == 0:
                self.found_so_far.emit(self._told(places, searched, is_over=False))
        return self._told(places, searched, is_over=True)

    def _told(self, places: list[int], searched: int, *, is_over: bool) -> SearchResult:
        found = tuple(places)
        return SearchResult(self._text, found, searched, self._rows, is_over)
