"""Exclusive buttons in a row: a choice among a few, all of them in sight."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QWidget,
)
from typing_extensions import override


class Segmented(QWidget):
    """One of a few named choices; Left and Right move between them.

    Signals:
        choice_changed: The key of the choice, when the user changed it.
    """

    choice_changed = Signal(str)

    def __init__(
        self,
        choices: Sequence[tuple[str, str]],
        *,
        name: str,
        current: str = "",
        parent: QWidget | None = None,
    ) -> None:
        """Make the row.

        Args:
            choices: Key and text of each choice.
            name: What is chosen, for screen readers.
            current: The key chosen at first; the first one if empty.
            parent: The parent widget.
        """
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._group = QButtonGroup(self)
        self._buttons: dict[str, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        for place, (key, text) in enumerate(choices):
            button = self._make_button(key, text, name)
            button.setProperty("segment", _place_word(place, len(choices)))
            row.addWidget(button)
        self.set_current(current or choices[0][0])

    def current(self) -> str:
        """The key of the choice."""
        chosen = self._group.checkedButton()
        return "" if chosen is None else str(chosen.property("choice"))

    def set_current(self, key: str) -> None:
        """Choose without telling anybody.

        Raises:
            KeyError: There is no such choice.
        """
        for other, button in self._buttons.items():
            # Tab lands on the choice; the arrows go on from there.
            policy = Qt.FocusPolicy.StrongFocus
            if other != key:
                policy = Qt.FocusPolicy.ClickFocus
            button.setFocusPolicy(policy)
        self._buttons[key].setChecked(True)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
            return
        keys = list(self._buttons)
        place = keys.index(self.current()) + step
        if 0 <= place < len(keys):
            self._choose(keys[place])
            self._buttons[keys[place]].setFocus(Qt.FocusReason.TabFocusReason)

    def _make_button(self, key: str, text: str, name: str) -> QPushButton:
        button = QPushButton(text, self)
        button.setCheckable(True)
        button.setAutoDefault(False)
        button.setProperty("choice", key)
        button.setAccessibleName(f"{name}: {text}")
        button.clicked.connect(self._on_button_clicked)
        self._group.addButton(button)
        self._buttons[key] = button
        return button

    def _choose(self, key: str) -> None:
        if key != self.current():
            self.set_current(key)
            self.choice_changed.emit(key)

    def _on_button_clicked(self) -> None:
        key = self.current()
        self.set_current(key)
        self.choice_changed.emit(key)


def _place_word(place: int, number: int) -> str:
    if number == 1:
        return "only"
    if place == 0:
        return "first"
    return "last" if place == number - 1 else "middle"
