"""The page header: what page this is, its facts, and what can be done here."""

from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.labels import ElidedLabel, Role, label


class PageHeader(QWidget):
    """80 px at the top of a page; it never scrolls away.

    Attributes:
        title_label: The page's title.
        facts_label: One line of facts.
    """

    def __init__(
        self, title: str, facts: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setFixedHeight(Height.PAGE_HEADER)
        self.title_label: QLabel = label(title, Role.PAGE_TITLE)
        self.facts_label = ElidedLabel(facts, Role.BODY, Tone.MUTED)
        self._notes = QVBoxLayout()
        self._notes.setSpacing(2)
        self._notes.addStretch(1)
        self._notes.addStretch(1)
        self._actions = QHBoxLayout()
        self._actions.setSpacing(Space.SMALL)
        texts = QVBoxLayout()
        texts.setSpacing(Space.HAIR)
        texts.addStretch(1)
        texts.addWidget(self.title_label)
        texts.addWidget(self.facts_label)
        texts.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.PAGE, 0, Space.PAGE, 0)
        row.setSpacing(Space.MEDIUM)
        row.addLayout(texts, 1)
        row.addLayout(self._notes)
        row.addLayout(self._actions)

    def set_title(self, title: str) -> None:
        """Change the title."""
        self.title_label.setText(title)

    def set_facts(self, facts: str) -> None:
        """Change the line of facts below the title."""
        self.facts_label.set_text(facts)

    def add_note(self, note: QLabel) -> None:
        """Put a right-aligned line of text before the actions."""
        note.setAlignment(note.alignment().AlignRight | note.alignment().AlignVCenter)
        self._notes.insertWidget(self._notes.count() - 1, note)

    def add_action_widget(self, widget: QWidget) -> None:
        """Put an action at the right; the primary one is added last."""
        self._actions.addWidget(widget)
