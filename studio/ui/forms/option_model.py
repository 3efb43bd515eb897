"""The options as a table: setting, value, set by, GiB."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from typing_extensions import override

from studio.domain.options import Value
from studio.ui.forms.option_rows import (
    OptionRow,
    SetBy,
    matches,
    read_entry,
    value_words,
)
from studio.ui.text import signed_gib
from studio.ui.tokens import Tone
from studio.ui.widgets.table import TONE_ROLE

ROW_ROLE: Final = Qt.ItemDataRole.UserRole + 10
ERROR_ROLE: Final = Qt.ItemDataRole.UserRole + 11

_Index = QModelIndex | QPersistentModelIndex
_RIGHT: Final = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class Column(IntEnum):
    """The table's columns."""

    SETTING = 0
    VALUE = 1
    SET_BY = 2
    EFFECT = 3


_HEADERS: Final = ("Setting", "Value", "Set by", "GiB")


class OptionModel(QAbstractTableModel):
    """Rows of options, filtered by words; typed texts are read here.

    A refused text stays in its cell with the reason, and the value in force stays.

    Signals:
        value_edited: An option's key and its new value.
        errors_changed: A text was refused, or a refusal was mended.
    """

    value_edited = Signal(str, object)
    errors_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: list[OptionRow] = []
        self._shown: list[OptionRow] = []
        self._words = ""
        self._refused: dict[str, tuple[str, str]] = {}

    def set_rows(self, rows: Sequence[OptionRow]) -> None:
        """Show other values; where the keys are the same, nothing else moves."""
        same = [r.option.key for r in rows] == [r.option.key for r in self._all]
        self._all = list(rows)
        if same and not self._words:
            self._shown = list(rows)
            last = self.index(len(rows) - 1, Column.EFFECT)
            self.dataChanged.emit(self.index(0, 0), last)
            return
        self._filter()

    def set_filter(self, words: str) -> None:
        """Show only the options in which all the words occur."""
        self._words = words
        self._filter()

    def shown_count(self) -> int:
        """The number of options that the filter leaves."""
        return len(self._shown)

    def total_count(self) -> int:
        """The number of all options."""
        return len(self._all)

    def changed_count(self) -> int:
        """The number of options that the user set."""
        return sum(row.set_by is SetBy.YOURS for row in self._all)

    def row_at(self, row: int) -> OptionRow | None:
        """The option in a row of the table."""
        return self._shown[row] if 0 <= row < len(self._shown) else None

    def error_of(self, key: str) -> str:
        """Why an option's text was refused; empty when all is well."""
        return self._refused.get(key, ("", ""))[1]

    def typed_text(self, row: OptionRow) -> str:
        """What an editor starts with: the refused text, or the value."""
        typed, _ = self._refused.get(row.option.key, ("", ""))
        return typed or row.option.show(row.value)

    def forget_refusal(self, key: str) -> None:
        """Show the value in force again instead of a refused text."""
        if self._refused.pop(key, None) is not None:
            self._repaint()

    @override
    def rowCount(self, parent: _Index | None = None) -> int:
        return len(self._shown)

    @override
    def columnCount(self, parent: _Index | None = None) -> int:
        return len(Column)

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
            return _HEADERS[section]
        is_right = role == Qt.ItemDataRole.TextAlignmentRole
        return _RIGHT if is_right and section == Column.EFFECT else None

    @override
    def flags(self, index: _Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        row = self.row_at(index.row())
        editable = row is not None and row.set_by is not SetBy.ONLY_ONE
        if editable and index.column() == Column.VALUE:
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    @override
    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row = self.row_at(index.row())
        if row is None:
            return None
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._words_of(row, index.column())
            case Qt.ItemDataRole.ToolTipRole:
                return _tooltip(row)
            case Qt.ItemDataRole.TextAlignmentRole:
                return _RIGHT if index.column() == Column.EFFECT else None
            case _:
                return self._own_data(row, index.column(), role)

    @override
    def setData(
        self, index: _Index, value: object, role: int = Qt.ItemDataRole.EditRole
    ) -> bool:
        row = self.row_at(index.row())
        if row is None or role != Qt.ItemDataRole.EditRole:
            return False
        key, typed = row.option.key, str(value)
        entry = read_entry(row.option, typed)
        if entry.value is None:
            self._refused[key] = (typed, entry.error)
            self._repaint()
            return False
        self.forget_refusal(key)
        if entry.value != row.value:
            self._tell(key, entry.value)
        return True

    def _tell(self, key: str, value: Value) -> None:
        self.value_edited.emit(key, value)

    def _own_data(self, row: OptionRow, column: int, role: int) -> object:
        error = self.error_of(row.option.key) or row.error
        if role == ROW_ROLE:
            return row
        if role == ERROR_ROLE:
            return error
        if role == TONE_ROLE and column == Column.SET_BY:
            return Tone.ACCENT if row.set_by is SetBy.YOURS else Tone.MUTED
        return None

    def _words_of(self, row: OptionRow, column: int) -> str:
        match Column(column):
            case Column.SETTING:
                return row.option.title
            case Column.VALUE:
                typed, _ = self._refused.get(row.option.key, ("", ""))
                return typed or value_words(row.option, row.value)
            case Column.SET_BY:
                return row.set_by.value
            case Column.EFFECT:
                effect = row.effect_bytes
                return "" if effect is None else signed_gib(effect)

    def _filter(self) -> None:
        self.beginResetModel()
        self._shown = [row for row in self._all if matches(row, self._words)]
        self.endResetModel()
        self.errors_changed.emit()

    def _repaint(self) -> None:
        last = self.index(len(self._shown) - 1, Column.EFFECT)
        self.dataChanged.emit(self.index(0, 0), last)
        self.errors_changed.emit()


def _tooltip(row: OptionRow) -> str:
    parts = (row.option.help, row.option.effect, row.option.key)
    return "\n".join(part for part in parts if part)
