"""The window's named actions and the pages' keys: each is declared once."""

from collections.abc import Callable, Sequence

from PySide6.QtGui import QAction, QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget

from studio.ui.keys import PAGE_KEYS, Deed


def bind_keys(page: QWidget, deed: Deed, slot: Callable[[], object]) -> None:
    """Let the keys of a deed work while the page is shown.

    A page that isn't shown is deaf to its keys, so pages may share them.
    """
    for key in PAGE_KEYS[deed].keys:
        QShortcut(QKeySequence(key), page, slot)


class ActionRegistry:
    """Named actions of a widget, with their shortcuts."""

    def __init__(self, owner: QWidget) -> None:
        """Make an empty registry; shortcuts work while `owner`'s window is active."""
        self._owner = owner
        self._actions: dict[str, QAction] = {}

    def add(
        self,
        name: str,
        text: str,
        slot: Callable[[], object],
        shortcuts: Sequence[str] = (),
    ) -> QAction:
        """Declare an action.

        Args:
            name: What it is found by, such as ``run.stop``.
            text: What it is called in menus and help.
            slot: A bound method of an object in the window's thread.
            shortcuts: Key sequences, such as ``Ctrl+S``.

        Raises:
            ValueError: The name or a shortcut is taken.
        """
        taken = {
            key.toString() for a in self._actions.values() for key in a.shortcuts()
        }
        keys = [QKeySequence(shortcut) for shortcut in shortcuts]
        clash = taken & {key.toString() for key in keys}
        if name in self._actions or clash:
            message = (
                f"the action {name} or a shortcut of it is declared twice: {clash}"
            )
            raise ValueError(message)
        action = QAction(text, self._owner)
        action.setObjectName(name)
        action.setShortcuts(keys)
        action.triggered.connect(slot)
        self._owner.addAction(action)
        self._actions[name] = action
        return action

    def __getitem__(self, name: str) -> QAction:
        return self._actions[name]

    def names(self) -> list[str]:
        """All actions, in the order in which they were declared."""
        return list(self._actions)
