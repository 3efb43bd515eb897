"""Rows of a card that scroll inside it while its header stays."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget


class ScrollColumn(QScrollArea):
    """Widgets below each other, kept at the top, scrolled when they are too many."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        """Make an empty column.

        Args:
            name: What is listed, for screen readers.
            parent: The parent widget.
        """
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        # It takes the room there is; asking for more would make the page scroll too.
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        canvas = QWidget()
        canvas.setProperty("page", "true")
        self._rows = QVBoxLayout(canvas)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(0)
        self._rows.addStretch(1)
        self.setWidget(canvas)

    def set_rows(self, rows: Sequence[QWidget]) -> None:
        """Show other rows in place of those it had."""
        while self._rows.count() > 1:
            item = self._rows.takeAt(0)
            widget = None if item is None else item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for place, row in enumerate(rows):
            self._rows.insertWidget(place, row)

    def add_row(self, row: QWidget) -> None:
        """Show one more row below the others."""
        self._rows.insertWidget(self._rows.count() - 1, row)

    def rows(self) -> list[QWidget]:
        """The rows, top to bottom."""
        items = (self._rows.itemAt(place) for place in range(self._rows.count() - 1))
        widgets = (None if item is None else item.widget() for item in items)
        return [widget for widget in widgets if widget is not None]
