"""The Expert form: every option in one table, with who set it and what it costs."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QVBoxLayout, QWidget
from typing_extensions import override

from studio.ui.forms.option_delegate import OptionDelegate, ValueDelegate
from studio.ui.forms.option_model import ERROR_ROLE, Column, OptionModel
from studio.ui.forms.option_rows import OptionRow, SetBy
from studio.ui.keys import PAGE_KEYS, Deed
from studio.ui.text import count
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.inputs import SearchField
from studio.ui.widgets.labels import Role, label, line
from studio.ui.widgets.table import DataTable

_WIDTHS: Final = {Column.VALUE: 190, Column.SET_BY: 112, Column.EFFECT: 72}
_EDIT_KEYS: Final = PAGE_KEYS[Deed.EDIT].keys
_RESET_KEYS: Final = PAGE_KEYS[Deed.RESET].keys


class _OptionView(DataTable):
    """Edits the value of the current row, wherever in the row one is.

    Signals:
        reset_asked: Delete was pressed in a row.
    """

    reset_asked = Signal(int)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = QKeySequence(event.key()).toString()
        row = self.currentIndex().row()
        if self.state() is QAbstractItemView.State.EditingState:
            # An editor's Enter comes through here as well, while the editor closes.
            super().keyPressEvent(event)
        elif key in _EDIT_KEYS and row >= 0:
            self.edit(self.model().index(row, Column.VALUE))
        elif key in _RESET_KEYS and row >= 0:
            self.reset_asked.emit(row)
        else:
            super().keyPressEvent(event)


class OptionTable(QWidget):
    """A find field's table of options, with a footer that counts and resets.

    Attributes:
        find_field: Narrows the table; the page places it in its card's header.
        table: The rows.

    Signals:
        value_edited: An option's key and its new value.
        reset_requested: The key of an option to set back to the recommended value.
        reset_all_requested: All of the user's own changes are to be set back.
        option_selected: The key of the current row.
    """

    value_edited = Signal(str, object)
    reset_requested = Signal(str)
    reset_all_requested = Signal()
    option_selected = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = OptionModel(self)
        self.find_field = SearchField(name="Find a setting", hint="Find a setting")
        self.find_field.setFixedWidth(180)
        self.table = _OptionView(
            self._model, name="Settings", row_height=Height.ROW_DENSE
        )
        self.table.setItemDelegate(OptionDelegate(self.table))
        self.table.setItemDelegateForColumn(Column.VALUE, ValueDelegate(self.table))
        self.table.set_widths({column.value: w for column, w in _WIDTHS.items()})
        self.table.stretch_column(Column.SETTING)
        self._counted = label("", Role.CAPTION, Tone.MUTED)
        self._show_all = button("Show all", ButtonKind.FLAT)
        self._reset_all = button("Reset", ButtonKind.FLAT)
        self._lay_out()
        self._connect()
        self._show_counts()

    def set_rows(self, rows: Sequence[OptionRow]) -> None:
        """Show the options with their values in force."""
        self._model.set_rows(rows)
        self._show_counts()
        self._fit_rows()

    def focus_find(self) -> None:
        """Put the cursor into the find field, as Ctrl+F does."""
        self.find_field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.find_field.selectAll()

    def select_option(self, key: str) -> None:
        """Make an option's row the current one, if the filter shows it."""
        for row in range(self._model.rowCount()):
            shown = self._model.row_at(row)
            if shown is not None and shown.option.key == key:
                self.table.setCurrentIndex(self._model.index(row, Column.VALUE))

    def error_of(self, key: str) -> str:
        """Why an option's typed text was refused; empty when all is well."""
        return self._model.error_of(key)

    def _lay_out(self) -> None:
        footer = QHBoxLayout()
        footer.setContentsMargins(Space.LARGE, 0, Space.SMALL, 0)
        footer.addWidget(self._counted)
        footer.addWidget(self._show_all)
        footer.addStretch(1)
        footer.addWidget(self._reset_all)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.table, 1)
        column.addWidget(line())
        column.addLayout(footer)

    def _connect(self) -> None:
        self.find_field.textChanged.connect(self._on_words_changed)
        self.table.clicked.connect(self._on_cell_clicked)
        self.table.reset_asked.connect(self._on_reset_asked)
        self.table.selectionModel().currentRowChanged.connect(self._on_row_changed)
        self._model.value_edited.connect(self.value_edited)
        self._model.errors_changed.connect(self._fit_rows)
        self._show_all.clicked.connect(self.find_field.clear)
        self._reset_all.clicked.connect(self.reset_all_requested)

    def _show_counts(self) -> None:
        shown, total = self._model.shown_count(), self._model.total_count()
        words = count(total, "setting") if shown == total else f"{shown} of {total}"
        self._counted.setText(words)
        self._show_all.setVisible(shown < total)
        changed = self._model.changed_count()
        self._reset_all.setVisible(changed > 0)
        self._reset_all.setText(f"Reset {count(changed, 'change')}")

    def _fit_rows(self) -> None:
        for row in range(self._model.rowCount()):
            index = self._model.index(row, Column.VALUE)
            wrong = bool(self._model.data(index, ERROR_ROLE))
            self.table.setRowHeight(
                row, Height.ROW_TWO_LINES if wrong else Height.ROW_DENSE
            )

    def _on_words_changed(self, words: str) -> None:
        self._model.set_filter(words)
        self._show_counts()

    def _on_cell_clicked(self, index: QModelIndex) -> None:
        editable = self._model.flags(index) & Qt.ItemFlag.ItemIsEditable
        if index.column() == Column.VALUE and editable:
            self.table.edit(index)

    def _on_reset_asked(self, row: int) -> None:
        shown = self._model.row_at(row)
        if shown is None:
            return
        self._model.forget_refusal(shown.option.key)
        if shown.set_by is SetBy.YOURS:
            self.reset_requested.emit(shown.option.key)

    def _on_row_changed(self, current: QModelIndex) -> None:
        shown = self._model.row_at(current.row())
        if shown is not None:
            self.option_selected.emit(shown.option.key)
