"""A table model of ready-made cells, for lists of some dozens of rows.

View models make the cells; the model only hands them to the view, and tells it as
little as possible of a change, so that selection and scroll position stay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from PySide6.QtCore import QPersistentModelIndex as _Persistent
from typing_extensions import override

from studio.ui.tokens import Tone
from studio.ui.widgets.marks import Mark
from studio.ui.widgets.memory_bar_state import MemoryBarState
from studio.ui.widgets.table import CAPTION_ROLE, TONE_ROLE

_Index = QModelIndex | _Persistent
_NOWHERE = QModelIndex()


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell shows.

    Attributes:
        text: The words; also read aloud for a bar.
        caption: A second, smaller line.
        painted: A mark or a bar for the column's delegate.
        hint: A sentence for the pointer that rests on it.
        tone: Of the words.
    """

    text: str = ""
    caption: str = ""
    painted: Mark | MemoryBarState | None = None
    hint: str = ""
    tone: Tone = Tone.NORMAL


@dataclass(frozen=True, slots=True)
class Column:
    """A column's title, and whether its cells stand at the right."""

    title: str
    at_right: bool = False


class CellModel(QAbstractTableModel):
    """Rows of cells, each row with a key that pages know it by."""

    def __init__(
        self, columns: Sequence[Column], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._columns = tuple(columns)
        self._rows: tuple[tuple[Cell, ...], ...] = ()
        self._keys: tuple[str, ...] = ()

    def set_rows(self, rows: Sequence[tuple[str, Sequence[Cell]]]) -> None:
        """Show other rows, each a key and its cells.

        Rows of the same keys in the same order are changed in place.
        """
        keys = tuple(key for key, _ in rows)
        cells = tuple(tuple(row) for _, row in rows)
        if keys == self._keys:
            self._change_in_place(cells)
            return
        self.beginResetModel()
        self._keys, self._rows = keys, cells
        self.endResetModel()

    def key_at(self, row: int) -> str:
        """The key of a row; empty when there is no such row."""
        return self._keys[row] if 0 <= row < len(self._keys) else ""

    def row_of(self, key: str) -> int:
        """The row of a key; -1 when it isn't listed."""
        return self._keys.index(key) if key in self._keys else -1

    @override
    def rowCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._rows)

    @override
    def columnCount(self, parent: _Index = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self._columns)

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
            return self._columns[section].title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._alignment(section)
        return None

    @override
    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        cell = self._rows[index.row()][index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return cell.text
            case Qt.ItemDataRole.UserRole:
                return cell.painted
            case Qt.ItemDataRole.TextAlignmentRole:
                return self._alignment(index.column())
            case (
                Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleDescriptionRole
            ):
                return cell.hint or None
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{cell.text}, {cell.caption}" if cell.caption else cell.text
            case _:
                return {CAPTION_ROLE: cell.caption, TONE_ROLE: cell.tone}.get(role)

    def _alignment(self, column: int) -> Qt.AlignmentFlag:
        at_right = self._columns[column].at_right
        side = Qt.AlignmentFlag.AlignRight if at_right else Qt.AlignmentFlag.AlignLeft
        return side | Qt.AlignmentFlag.AlignVCenter

    def _change_in_place(self, cells: tuple[tuple[Cell, ...], ...]) -> None:
        changed = [row for row, new in enumerate(cells) if new != self._rows[row]]
        self._rows = cells
        for row in changed:
            last = self.index(row, len(self._columns) - 1)
            self.dataChanged.emit(self.index(row, 0), last)
