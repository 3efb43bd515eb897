"""What is seen of a push: its fields, its bar, its buttons."""

from typing import Final

from PySide6.QtWidgets import QCheckBox, QWidget

from studio.ui.pages.task_dialog import TaskDialog, title_of
from studio.ui.tokens import Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.inputs import ChoiceBox, TextField
from studio.ui.widgets.labels import Role, label

_WORDS: Final = (
    "All files become one commit, or none. After a break, pushing again sends the rest."
)


class PushForm:
    """The dialog's widgets.

    Attributes:
        artefact: Which part of the export.
        what: How much of it goes up.
        name: Of the repository.
        private: Whether only its owner may see it.
        doubt, unproven: Why it isn't proven, and whether it goes up all the same.
        token: Who signs in.
        push: Begins.
        page: Shows what came of it.
    """

    def __init__(self, dialog: TaskDialog) -> None:
        """Make them and lay them out."""
        self.artefact = ChoiceBox(name="Part of the export")
        self.what = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self.name = TextField(name="Repository", hint="owner/name")
        self.private = QCheckBox("Private: only you, or its owners, may see it")
        self.private.setChecked(True)
        self.doubt = label("", Role.CAPTION, Tone.WARNING, wraps=True)
        self.unproven = QCheckBox("Push it all the same, with a card that says so")
        self.token = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self.push = button("Push", ButtonKind.PRIMARY)
        self.page = button("Open its page")
        self._lay_out(dialog)
        self.name.setFocus()

    def show_doubt(self, doubt: str) -> None:
        """Ask whether it shall go up without proof; nothing where it is proven."""
        self.doubt.setText(doubt)
        self.doubt.setVisible(bool(doubt))
        self.unproven.setVisible(bool(doubt))

    def show_state(self, *, is_running: bool, is_done: bool) -> None:
        """Show what can be done now."""
        at_rest: tuple[QWidget, ...] = (
            self.artefact,
            self.name,
            self.private,
            self.unproven,
        )
        for widget in at_rest:
            widget.setEnabled(not is_running and not is_done)
        self.push.setVisible(not is_done)
        self.page.setVisible(is_done)

    def _lay_out(self, dialog: TaskDialog) -> None:
        column = dialog.column_of("Push to the Hugging Face hub", _WORDS)
        rest: tuple[QWidget, ...] = (
            title_of(self.artefact),
            self.artefact,
            self.what,
            title_of(self.name),
            self.name,
            self.private,
            self.doubt,
            self.unproven,
            self.token,
        )
        for widget in rest:
            column.addWidget(widget)
        dialog.end_column(column, self.push, self.page)
