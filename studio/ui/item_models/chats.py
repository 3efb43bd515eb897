"""The rows of a data file as a table; cells are made only when they are looked at."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from PySide6.QtCore import QPersistentModelIndex as _Persistent
from typing_extensions import override

from studio.domain.dataset import Chat
from studio.ui.pages.data.view_model import COLUMNS, Split, row_cells
from studio.ui.tokens import Tone
from studio.ui.widgets.table import TONE_ROLE

_Index = QModelIndex | _Persistent
_NOWHERE = QModelIndex()
_AT_RIGHT: Final = frozenset({0, 3})
_MUTED: Final = frozenset({0, 2, 4})


class ChatTableModel(QAbstractTableModel):
    """Chats, or those of them that hold what was searched for."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._chats: Sequence[Chat] = ()
        self._split = Split(0, frozenset())
        self._places: Sequence[int] = ()

    def set_chats(self, chats: Sequence[Chat], split: Split) -> None:
        """Show other chats."""
        self.beginResetModel()
        self._chats, self._split = chats, split
        self._places = range(len(chats))
        self.endResetModel()

    def set_split(self, split: Split) -> None:
        """Show another use of the same chats."""
        self._split = split
        if self._places:
            last = self.index(len(self._places) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def search(self, text: str) -> None:
        """Show the chats that hold a text, in any of their turns."""
        wanted = text.casefold()
        self.beginResetModel()
        self._places = [
            place
            for place, chat in enumerate(self._chats)
            if not wanted or any(wanted in t.content.casefold() for t in chat.turns)
        ]
        self.endResetModel()

    def chat_at(self, row: int) -> Chat | None:
        """The chat of a row; None when there is no such row."""
        if 0 <= row < len(self._places):
            return self._chats[self._places[row]]
        return None

    def is_held_out(self, row: int) -> bool:
        """Whether the chat of a row is only measured with."""
        return self._places[row] in self._split.held_out

    @override
    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._places)

    @override
    def columnCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

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
            return COLUMNS[section]
        return _alignment(section) if _is_alignment(role) else None

    @override
    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            place = self._places[index.row()]
            held_out = place in self._split.held_out
            return row_cells(self._chats[place], held_out=held_out)[column]
        if role == TONE_ROLE and column in _MUTED:
            return Tone.MUTED
        return _alignment(column) if _is_alignment(role) else None


def _is_alignment(role: int) -> bool:
    return role == Qt.ItemDataRole.TextAlignmentRole


def _alignment(column: int) -> Qt.AlignmentFlag:
    at_right = column in _AT_RIGHT
    side = Qt.AlignmentFlag.AlignRight if at_right else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
