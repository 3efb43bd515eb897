"""Buttons: one primary a page, verbs as text, icons never without a name."""

from enum import StrEnum

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QPushButton, QToolButton, QWidget

from studio.ui.icons import SMALL_SIZE, IconName, set_icon


class ButtonKind(StrEnum):
    """How much a button asks to be pressed."""

    NORMAL = "normal"
    PRIMARY = "primary"
    DANGER = "danger"
    FLAT = "flat"


class ButtonSize(StrEnum):
    """32, 40 or 48 px high."""

    NORMAL = "normal"
    LARGE = "large"
    START = "start"


def button(
    text: str,
    kind: ButtonKind = ButtonKind.NORMAL,
    icon: IconName | None = None,
    *,
    size: ButtonSize = ButtonSize.NORMAL,
    parent: QWidget | None = None,
) -> QPushButton:
    """A push button in the window's style."""
    result = QPushButton(text, parent)
    result.setProperty("kind", kind.value)
    result.setProperty("extent", size.value)
    result.setAutoDefault(False)
    if icon is not None:
        # The space is the 8 px that a style sheet can't put beside an icon.
        result.setText(f" {text}")
        result.setAccessibleName(text)
        set_icon(result, icon)
    return result


def chip(text: str, parent: QWidget | None = None) -> QPushButton:
    """A button that stays pressed: one condition of a filter."""
    result = button(text, parent=parent)
    result.setProperty("chip", True)
    result.setCheckable(True)
    return result


def icon_button(
    icon: IconName, name: str, parent: QWidget | None = None
) -> QToolButton:
    """A button that is only an icon; its name is its tooltip and is read aloud."""
    result = QToolButton(parent)
    set_icon(result, icon, SMALL_SIZE)
    result.setToolTip(name)
    result.setAccessibleName(name)
    result.setFixedSize(QSize(28, 28))
    return result
