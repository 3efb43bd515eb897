"""Fields that hold a value: they ignore the wheel unless they have the focus.

A page is scrolled with the wheel over it; a field that took the wheel in passing would
change a setting unseen.
"""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QMargins, QSize, Qt
from PySide6.QtGui import QAction, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QSpinBox,
    QStyledItemDelegate,
    QWidget,
)
from typing_extensions import override

from studio.ui.icons import IconName, icon
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.labels import set_look


class ChoiceBox(QComboBox):
    """A drop-down list of texts, each standing for a value."""

    def __init__(
        self,
        choices: Sequence[tuple[str, str]] = (),
        *,
        name: str,
        parent: QWidget | None = None,
    ) -> None:
        """Make the list.

        Args:
            choices: Value and text of each entry.
            name: What is chosen, for screen readers.
            parent: The parent widget.
        """
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        # The list's default delegate ignores the style sheet's paddings.
        self.setItemDelegate(QStyledItemDelegate(self))
        self.set_choices(choices)

    def set_choices(self, choices: Sequence[tuple[str, str]]) -> None:
        """Replace the entries; the value stays if it is among them."""
        kept = self.value()
        self.clear()
        for value, text in choices:
            self.addItem(text, value)
        self.set_value(kept)

    def value(self) -> str:
        """The chosen entry's value; empty without entries."""
        data = self.currentData()
        return "" if data is None else str(data)

    def set_value(self, value: str) -> None:
        """Choose an entry; an unknown value changes nothing."""
        place = self.findData(value)
        if place >= 0:
            self.setCurrentIndex(place)

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class IntegerField(QSpinBox):
    """A whole number, with its unit and grouped figures."""

    def __init__(
        self,
        low: int,
        high: int,
        *,
        name: str,
        unit: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setRange(low, high)
        self.setAccessibleName(f"{name}, {unit}" if unit else name)
        self.setSuffix(f" {unit}" if unit else "")
        self.setGroupSeparatorShown(True)
        self.setKeyboardTracking(False)
        # The style sheet's padding doesn't reach the line inside a spin box.
        self.lineEdit().setTextMargins(Space.SMALL, 0, Space.SMALL, 0)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    @override
    def sizeHint(self) -> QSize:
        return super().sizeHint().grownBy(QMargins(Space.SMALL, 0, Space.SMALL, 0))

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class DecimalField(QDoubleSpinBox):
    """A number with decimals."""

    def __init__(
        self,
        low: float,
        high: float,
        *,
        name: str,
        decimals: int = 2,
        step: float = 0.05,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setDecimals(decimals)
        self.setRange(low, high)
        self.setSingleStep(step)
        self.setAccessibleName(name)
        self.setKeyboardTracking(False)
        # The style sheet's padding doesn't reach the line inside a spin box.
        self.lineEdit().setTextMargins(Space.SMALL, 0, Space.SMALL, 0)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    @override
    def sizeHint(self) -> QSize:
        return super().sizeHint().grownBy(QMargins(Space.SMALL, 0, Space.SMALL, 0))

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class TextField(QLineEdit):
    """A line of text."""

    def __init__(
        self,
        text: str = "",
        *,
        name: str,
        hint: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(text, parent)
        self.setAccessibleName(name)
        self.setPlaceholderText(hint)


class SearchField(TextField):
    """A field that filters what stands below it as one types."""

    def __init__(self, *, name: str, hint: str, parent: QWidget | None = None) -> None:
        super().__init__(name=name, hint=hint, parent=parent)
        self._glass = QAction(self)
        self.addAction(self._glass, QLineEdit.ActionPosition.LeadingPosition)
        self._tint()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self._tint()

    def _tint(self) -> None:
        self._glass.setIcon(icon(IconName.SEARCH, Tone.MUTED))


def set_error(field: QWidget, sentence: str, below: QLabel | None = None) -> None:
    """Show what is wrong with a field's value, or with "" that all is well.

    Args:
        field: The field; it gets the danger border.
        sentence: What is wrong and what is accepted.
        below: The label under the field; without one the tooltip tells.
    """
    set_look(field, "invalid", bool(sentence))
    field.setAccessibleDescription(sentence)
    if below is None:
        field.setToolTip(sentence)
        return
    below.setText(sentence)
    below.setVisible(bool(sentence))
