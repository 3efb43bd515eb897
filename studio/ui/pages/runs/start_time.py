"""The field that reads a start time as it is typed, and the dialog round it."""

from datetime import datetime
from typing import Final

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from studio.domain.errors import StudioError
from studio.domain.run_queue import time_of
from studio.ui.pages.runs.waiting_model import start_words
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.inputs import TextField, set_error
from studio.ui.widgets.labels import Role, label

_WIDTH: Final = 440
_HINT: Final = "21:30, or 2026-11-27 06:00"
_IN_TURN: Final = "Empty: as soon as its turn comes."


class StartTimeField(QWidget):
    """A time of day or a date and time; empty for none.

    Attributes:
        field: Where it is typed.
        note: What it means, or what is wrong with it.

    Signals:
        time_edited: Something was typed.
    """

    time_edited = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = TextField(name="Start at", hint=_HINT)
        self.note = label(_IN_TURN, Role.CAPTION, Tone.MUTED, wraps=True)
        self.error = label("", Role.CAPTION, Tone.DANGER, wraps=True)
        self.error.hide()
        title = label("Start at", Role.STRONG)
        title.setBuddy(self.field)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.HAIR)
        for widget in (title, self.field, self.error, self.note):
            column.addWidget(widget)
        self.field.textChanged.connect(self._on_typed)

    def show_time(self, moment: datetime | None) -> None:
        """Fill the field with a time."""
        local = None if moment is None else moment.astimezone()
        self.field.setText("" if local is None else f"{local:%Y-%m-%d %H:%M}")

    def time(self) -> datetime | None:
        """The time, with its zone; None for none.

        Raises:
            StudioError: What was typed is no time.
        """
        typed = self.field.text().strip()
        return time_of(typed, datetime.now().astimezone()) if typed else None

    @Slot()
    def _on_typed(self) -> None:
        words, sentence = _IN_TURN, ""
        try:
            moment = self.time()
        except StudioError as refused:
            sentence = f"{refused.finding.what} {refused.finding.how_to_fix}"
        else:
            if moment is not None:
                words = f"{start_words(moment, datetime.now().astimezone())}, or later."
        set_error(self.field, sentence, self.error)
        self.note.setText(words)
        self.note.setVisible(not sentence)
        self.time_edited.emit()


class StartTimeDialog(QDialog):
    """From when on runs may start; Escape changes nothing.

    Attributes:
        time: The field.
        choose: Takes what it says.
        back: Changes nothing.

    Signals:
        time_chosen(object): A `datetime` with its zone, or None.
    """

    time_chosen = Signal(object)

    def __init__(self, title: str, moment: datetime | None, parent: QWidget) -> None:
        """Make the dialog; `open` shows it.

        Args:
            title: What waits.
            moment: The time that it has.
            parent: The page that asks.
        """
        super().__init__(parent)
        self.setWindowTitle("Start at")
        self.setModal(True)
        self.time = StartTimeField()
        self.time.show_time(moment)
        self.choose = button("Start in its turn", ButtonKind.PRIMARY)
        self.choose.setDefault(True)
        self.back = button("Cancel")
        self.choose.clicked.connect(self._on_choose)
        self.back.clicked.connect(self.reject)
        self.finished.connect(self.deleteLater)
        self.time.time_edited.connect(self._allow)
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        row.addWidget(self.choose)
        row.addWidget(self.back)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.PAGE, Space.PAGE, Space.PAGE, Space.PAGE)
        column.setSpacing(Space.MEDIUM)
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)
        column.addStrut(_WIDTH - 2 * Space.PAGE)
        column.addWidget(label(title, Role.CARD_TITLE, wraps=True))
        column.addWidget(self.time)
        column.addLayout(row)
        self._allow()
        self.time.field.setFocus()

    @Slot()
    def _allow(self) -> None:
        is_empty = not self.time.field.text().strip()
        words = "Start in its turn" if is_empty else "Wait until then"
        self.choose.setText(words)
        self.choose.setEnabled(not self.time.error.text())

    @Slot()
    def _on_choose(self) -> None:
        moment = self.time.time()
        self.accept()
        self.time_chosen.emit(moment)
