"""The card: the ground on which a page's things stand."""

from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.labels import Role, label, line


class Card(QFrame):
    """A surface with a border, an optional header and a body.

    Attributes:
        body: Where the content goes; its margins are the card's padding.
        header: The header row, or None for a card without a title.
        title_label: The title, or None.
        note_label: The caption beside the title or at the right, or None.
    """

    def __init__(
        self,
        title: str = "",
        note: str = "",
        *,
        divided: bool = False,
        flush: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        """Make a card.

        Args:
            title: The header's title; without one there is no header.
            note: A caption at the header's right end.
            divided: Draw a line below the header.
            flush: Give the body no padding, for tables and rows with own lines.
            parent: The parent widget.
        """
        super().__init__(parent)
        self.setProperty("card", "true")
        self.header: QHBoxLayout | None = None
        self.title_label: QLabel | None = None
        self.note_label: QLabel | None = None
        outer = QVBoxLayout(self)
        outer.setContentsMargins(1, 1, 1, 1)
        outer.setSpacing(0)
        if title:
            outer.addWidget(self._make_header(title, note))
            self.setAccessibleName(title)
        if title and divided:
            outer.addWidget(line())
        self.body = QVBoxLayout()
        self._pad_body(has_header=bool(title), divided=divided, flush=flush)
        self.body.setSpacing(Space.SMALL)
        outer.addLayout(self.body, 1)

    def set_title(self, title: str) -> None:
        """Change the title of a card that was made with one."""
        assert self.title_label is not None
        self.title_label.setText(title)
        self.setAccessibleName(title)

    def set_note(self, note: str) -> None:
        """Change the caption at the header's right."""
        assert self.note_label is not None
        self.note_label.setText(note)
        self.note_label.setVisible(bool(note))

    def add_header_widget(self, widget: QWidget) -> None:
        """Put a control at the header's right end."""
        assert self.header is not None
        self.header.addWidget(widget)

    def add_row_line(self) -> None:
        """Draw a line across the body, between two rows."""
        self.body.addWidget(line())

    def _make_header(self, title: str, note: str) -> QWidget:
        holder = QWidget()
        holder.setFixedHeight(Height.CARD_HEADER)
        self.header = QHBoxLayout(holder)
        self.header.setContentsMargins(Space.LARGE, 0, Space.LARGE, 0)
        self.header.setSpacing(Space.SMALL)
        self.title_label = label(title, Role.CARD_TITLE)
        self.note_label = label(note, Role.CAPTION, Tone.MUTED)
        self.note_label.setVisible(bool(note))
        self.header.addWidget(self.title_label)
        self.header.addStretch(1)
        self.header.addWidget(self.note_label)
        return holder

    def _pad_body(self, *, has_header: bool, divided: bool, flush: bool) -> None:
        if flush:
            self.body.setContentsMargins(0, 0, 0, 0)
            return
        top = 0 if has_header and not divided else Space.LARGE
        self.body.setContentsMargins(Space.LARGE, top, Space.LARGE, Space.LARGE)
