"""What every page must hold, checked by walking its widgets."""

from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import QAbstractSpinBox, QComboBox, QToolButton, QWidget


def focusable_widgets(root: QWidget) -> Iterator[QWidget]:
    """Every widget that Tab or a click can land on, but no inner part of a control."""
    for widget in [root, *root.findChildren(QWidget)]:
        if widget.focusPolicy() is not Qt.FocusPolicy.NoFocus and not _is_inner(widget):
            yield widget


def nameless_widgets(root: QWidget) -> list[str]:
    """The focusable widgets that a screen reader would have no name for."""
    return [
        f"{type(widget).__name__} in {type(widget.parent()).__name__}"
        for widget in focusable_widgets(root)
        if not accessible_name(widget)
    ]


def accessible_name(widget: QWidget) -> str:
    """What a screen reader calls a widget."""
    interface = QAccessible.queryAccessibleInterface(widget)
    return interface.text(QAccessible.Text.Name).strip()


def unguarded_fields(root: QWidget) -> list[str]:
    """Combo and spin boxes that would take the wheel without having the focus."""
    fields = [*root.findChildren(QComboBox), *root.findChildren(QAbstractSpinBox)]
    return [type(f).__name__ for f in fields if "wheelEvent" not in _overrides(f)]


def mute_icon_buttons(root: QWidget) -> list[str]:
    """Buttons that are only an icon and have no tooltip."""
    return [
        button.accessibleName()
        for button in root.findChildren(QToolButton)
        if not button.text() and not button.toolTip() and button.isVisibleTo(root)
        if not _is_inner(button)
    ]


def assert_reachable(root: QWidget) -> None:
    """Fail unless every widget can be named, and no field changes in passing."""
    assert nameless_widgets(root) == []
    assert unguarded_fields(root) == []
    assert mute_icon_buttons(root) == []


def _is_inner(widget: QWidget) -> bool:
    """Whether Qt made the widget as a part of a control that has the name."""
    holder = widget.parentWidget()
    in_popup = holder is not None and "PrivateContainer" in _class_name(holder)
    is_glyph = _class_name(widget) == "QLineEditIconButton"
    return in_popup or is_glyph or widget.objectName().startswith("qt_")


def _class_name(widget: QWidget) -> str:
    return widget.metaObject().className()


def _overrides(widget: QWidget) -> set[str]:
    classes = type(widget).__mro__
    own = [c for c in classes if not c.__module__.startswith("PySide6")]
    return {name for c in own for name in vars(c)}
