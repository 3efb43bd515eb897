"""What is seen of a push: its fields, its bar, its buttons."""

from typing import Final

from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.inputs import ChoiceBox, TextField
from studio.ui.widgets.labels import Role, label

_WIDTH: Final = 520
_WHOLE: Final = 1000
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
        back: Ends what is under way, and leaves.
        findings: Why nothing came.
    """

    def __init__(self, dialog: QDialog) -> None:
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
        self.back = button("Cancel")
        self.findings = QVBoxLayout()
        self._way = label("", Role.CAPTION, wraps=True)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Pushing")
        dialog.setFixedWidth(_WIDTH)
        self._lay_out(dialog)
        self.show_way("")
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
        self._bar.setVisible(is_running)
        self.push.setVisible(not is_done)
        self.page.setVisible(is_done)
        self.back.setText("Close" if is_done else "Cancel")

    def show_way(self, words: str, done: float = 0.0, total: float = 0.0) -> None:
        """Show how far it is; without a total that is unknown."""
        self._way.setText(words)
        self._way.setVisible(bool(words))
        self._bar.setRange(0, _WHOLE if total else 0)
        self._bar.setValue(round(min(1.0, done / total) * _WHOLE) if total else 0)
        self._bar.setAccessibleDescription(words)

    def way(self) -> str:
        """What is shown of how far it is."""
        return self._way.text()

    def _lay_out(self, dialog: QDialog) -> None:
        column = QVBoxLayout(dialog)
        column.setContentsMargins(Space.PAGE, Space.PAGE, Space.PAGE, Space.PAGE)
        column.setSpacing(Space.SMALL)
        column.addWidget(label("Push to the Hugging Face hub", Role.CARD_TITLE))
        column.addWidget(label(_WORDS, tone=Tone.MUTED, wraps=True))
        for field in (self.artefact, self.name):
            title = label(field.accessibleName(), Role.CAPTION, Tone.MUTED)
            title.setBuddy(field)
            column.addWidget(title)
            column.addWidget(field)
            if field is self.artefact:
                column.addWidget(self.what)
        rest: tuple[QWidget, ...] = (
            self.private,
            self.doubt,
            self.unproven,
            self.token,
            self._bar,
            self._way,
        )
        for widget in rest:
            column.addWidget(widget)
        column.addLayout(self.findings)
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        for each in (self.push, self.page, self.back):
            row.addWidget(each)
        row.addStretch(1)
        column.addLayout(row)
