"""A plain form of a few options below each other, each with its field and help."""

from collections.abc import Iterable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.domain.options import Option, Value
from studio.ui.forms.option_delegate import make_editor
from studio.ui.forms.option_rows import read_entry
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.inputs import ChoiceBox, TextField, set_error
from studio.ui.widgets.labels import Role, label, line

_FIELD_WIDTH = 180


class OptionField(QWidget):
    """One option: title, field, unit, help and, when a text is refused, the reason.

    Attributes:
        option: Its row of the option table.
        editor: The field.

    Signals:
        value_edited: The option's key and its new value.
    """

    value_edited = Signal(str, object)

    def __init__(
        self, option: Option, value: Value, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.option = option
        self._value = value
        self.editor = make_editor(option)
        self.editor.setFixedWidth(_FIELD_WIDTH)
        title = label(option.title, Role.STRONG)
        title.setBuddy(self.editor)
        self.note = label(option.help, Role.CAPTION, Tone.MUTED, wraps=True)
        self.error = label("", Role.CAPTION, Tone.DANGER, wraps=True)
        self.error.hide()
        self._lay_out(title)
        self._connect()
        self.set_value(value)

    def set_value(self, value: Value) -> None:
        """Show a value without telling anybody."""
        self._value = value
        text = self.option.show(value)
        if isinstance(self.editor, ChoiceBox):
            self.editor.set_value(text)
        elif isinstance(self.editor, TextField):
            self.editor.setText(text)
        self.set_error("")

    def set_note(self, words: str) -> None:
        """Show something more telling than the help, such as what the value means."""
        self.note.setText(words)

    def set_error(self, sentence: str) -> None:
        """Show why a value is refused, or with "" that all is well."""
        set_error(self.editor, sentence, self.error)

    def _lay_out(self, title: QLabel) -> None:
        first = QHBoxLayout()
        first.setSpacing(Space.SMALL)
        first.addWidget(title)
        first.addStretch(1)
        first.addWidget(self.editor)
        if self.option.unit:
            first.addWidget(label(self.option.unit, tone=Tone.MUTED))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, Space.SMALL, 0, Space.SMALL)
        column.setSpacing(Space.HAIR)
        column.addLayout(first)
        column.addWidget(self.error)
        column.addWidget(self.note)

    def _connect(self) -> None:
        if isinstance(self.editor, ChoiceBox):
            self.editor.activated.connect(self._on_edited)
        elif isinstance(self.editor, TextField):
            self.editor.editingFinished.connect(self._on_edited)

    def _on_edited(self) -> None:
        entry = read_entry(self.option, self._typed())
        self.set_error(entry.error)
        if entry.value is not None and entry.value != self._value:
            self._value = entry.value
            self.value_edited.emit(self.option.key, entry.value)

    def _typed(self) -> str:
        if isinstance(self.editor, ChoiceBox):
            return self.editor.value()
        return self.editor.text() if isinstance(self.editor, TextField) else ""


class OptionForm(QWidget):
    """Fields of several options, parted by lines.

    Signals:
        value_edited: An option's key and its new value.
    """

    value_edited = Signal(str, object)

    def __init__(
        self,
        options: Iterable[tuple[Option, Value]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._fields: dict[str, OptionField] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for option, value in options:
            if self._fields:
                column.addWidget(line())
            field = OptionField(option, value)
            field.value_edited.connect(self.value_edited)
            self._fields[option.key] = field
            column.addWidget(field)

    def field(self, key: str) -> OptionField:
        """The field of an option."""
        return self._fields[key]

    def set_value(self, key: str, value: Value) -> None:
        """Show an option's value without telling anybody."""
        self._fields[key].set_value(value)

    def set_error(self, key: str, sentence: str) -> None:
        """Show why an option's value is refused."""
        self._fields[key].set_error(sentence)
