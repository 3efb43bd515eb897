"""The rows of a data file as a table; cells are made only when they are looked at."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, Signal
from PySide6.QtCore import QPersistentModelIndex as _Persistent
from typing_extensions import override

from studio.domain.dataset import Chat
from studio.domain.errors import StudioError
from studio.ui.pages.data.view_model import (
    UNREADABLE,
    Split,
    column_titles,
    length_help,
    row_cells,
)
from studio.ui.tokens import Tone
from studio.ui.widgets.table import TONE_ROLE

_Index = QModelIndex | _Persistent
_NOWHERE = QModelIndex()
_COLUMNS: Final = 5
_LENGTH: Final = 3
_AT_RIGHT: Final = frozenset({0, 3})
_MUTED: Final = frozenset({0, 2, 4})


class ChatTableModel(QAbstractTableModel):
    """Chats, or those of them that were searched for.

    Signals:
        row_failed(object): A `Finding`: a row can't be read from the disk any more.
    """

    row_failed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._chats: Sequence[Chat] = ()
        self._split = Split(0, frozenset())
        self._places: Sequence[int] = ()
        self._tokens: Sequence[int] | None = None
        self._has_failed = False

    def set_chats(self, chats: Sequence[Chat], split: Split) -> None:
        """Show other chats, all of them."""
        self.beginResetModel()
        self._chats, self._split, self._tokens = chats, split, None
        self._places = range(len(chats))
        self._has_failed = False
        self.endResetModel()

    def set_split(self, split: Split) -> None:
        """Show another use of the same chats."""
        self._split = split
        self._tell_change()

    def set_tokens(self, tokens: Sequence[int]) -> None:
        """Show the rows' lengths in tokens.

        Args:
            tokens: In file order, of all rows; characters are shown without them,
                and with those of another reading of the file.
        """
        fitting = tokens if tokens and len(tokens) == len(self._chats) else None
        if fitting is self._tokens:
            return
        self._tokens = fitting
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, _LENGTH, _LENGTH)
        self._tell_change()

    def show_places(self, places: Sequence[int]) -> None:
        """Show the chats at these places only."""
        self.beginResetModel()
        self._places = places
        self.endResetModel()

    def chat_at(self, row: int) -> Chat | None:
        """The chat of a row; None when there is no such row, or not any more."""
        if 0 <= row < len(self._places):
            return self._read(self._places[row])
        return None

    def place_at(self, row: int) -> int:
        """The place of a row among all chats; -1 when there is no such row."""
        return self._places[row] if 0 <= row < len(self._places) else -1

    def row_of(self, place: int) -> int:
        """The row of a chat by its place among all; -1 when it isn't shown."""
        return self._places.index(place) if place in self._places else -1

    def is_held_out(self, row: int) -> bool:
        """Whether the chat of a row is only measured with."""
        return self._places[row] in self._split.held_out

    @override
    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._places)

    @override
    def columnCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else _COLUMNS

    @override
    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return column_titles(counted=self._tokens is not None)[section]
        if role == Qt.ItemDataRole.ToolTipRole and section == _LENGTH:
            return length_help(counted=self._tokens is not None)
        return _alignment(section) if _is_alignment(role) else None

    @override
    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._cells(self._places[index.row()])[column]
        if role == TONE_ROLE and column in _MUTED:
            return Tone.MUTED
        return _alignment(column) if _is_alignment(role) else None

    def _cells(self, place: int) -> Sequence[str]:
        chat = self._read(place)
        if chat is None:
            return UNREADABLE
        tokens = None if self._tokens is None else self._tokens[place]
        return row_cells(chat, held_out=place in self._split.held_out, tokens=tokens)

    def _read(self, place: int) -> Chat | None:
        """A chat; None when its file was changed, which is told once."""
        try:
            return self._chats[place]
        except StudioError as refused:
            if not self._has_failed:
                self._has_failed = True
                self.row_failed.emit(refused.finding)
            return None

    def _tell_change(self) -> None:
        if self._places:
            last = self.index(len(self._places) - 1, _COLUMNS - 1)
            self.dataChanged.emit(self.index(0, 0), last)


def _is_alignment(role: int) -> bool:
    return role == Qt.ItemDataRole.TextAlignmentRole


def _alignment(column: int) -> Qt.AlignmentFlag:
    at_right = column in _AT_RIGHT
    side = Qt.AlignmentFlag.AlignRight if at_right else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
