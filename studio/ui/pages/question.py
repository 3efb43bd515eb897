"""A question before a deed that can't be taken back: stop, delete, overwrite."""

from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QVBoxLayout, QWidget

from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.labels import Role, label

_WIDTH: Final = 480


class Question(QDialog):
    """One question with one deed and a way back; Escape takes the way back.

    Attributes:
        deed: The button that does it.
        back: The button that changes nothing; it has the focus at first.

    Signals:
        deed_confirmed: The deed was chosen.
    """

    deed_confirmed = Signal()

    def __init__(
        self, title: str, words: str, deed: str, back: str, parent: QWidget
    ) -> None:
        """Make the question; `open` asks it.

        Args:
            title: The question in a few words.
            words: What is kept and what is lost.
            deed: The text of the button that does it.
            back: The text of the button that changes nothing.
            parent: The page that asks.
        """
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setModal(True)
        self.deed = button(deed, ButtonKind.DANGER)
        self.back = button(back)
        self.deed.clicked.connect(self._on_deed)
        self.back.clicked.connect(self.reject)
        self.finished.connect(self.deleteLater)
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        row.addWidget(self.deed)
        row.addWidget(self.back)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.PAGE, Space.PAGE, Space.PAGE, Space.PAGE)
        column.setSpacing(Space.MEDIUM)
        column.addWidget(label(title, Role.CARD_TITLE, wraps=True))
        column.addWidget(label(words, tone=Tone.MUTED, wraps=True))
        column.addSpacing(Space.HAIR)
        column.addLayout(row)
        self.setFixedWidth(_WIDTH)
        self.back.setFocus()

    def _on_deed(self) -> None:
        self.accept()
        self.deed_confirmed.emit()
