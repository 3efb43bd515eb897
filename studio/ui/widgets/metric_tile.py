"""One figure with its name; what was not measured says so instead of reading 0."""

from typing import Final

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.ui.tokens import Space, Tone
from studio.ui.widgets.labels import Role, label, set_look, set_tone

NOT_MEASURED: Final = "not measured yet"


class MetricTile(QWidget):
    """Caption above, value below, an optional change beside it."""

    def __init__(
        self, caption: str, value: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._caption = caption
        self.caption_label = label(caption, Role.CAPTION, Tone.MUTED)
        self.value_label = label("", Role.VALUE)
        self.change_label = label("", Role.CAPTION, Tone.MUTED)
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        row.addWidget(self.value_label)
        row.addWidget(self.change_label)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.caption_label)
        column.addLayout(row)
        column.addStretch(1)
        self.set_value(value)

    def set_value(
        self, value: str, change: str = "", change_tone: Tone = Tone.MUTED
    ) -> None:
        """Show a figure as text; an empty one reads "not measured yet"."""
        set_look(self.value_label, "role", (Role.VALUE if value else Role.BODY).value)
        set_tone(self.value_label, Tone.NORMAL if value else Tone.MUTED)
        self.value_label.setText(value or NOT_MEASURED)
        self._show_change(change, change_tone)

    def set_stale(self, time_of_day: str) -> None:
        """Show that the figure is an old one, and from when."""
        set_tone(self.value_label, Tone.MUTED)
        self._show_change(time_of_day, Tone.MUTED)

    def _show_change(self, change: str, tone: Tone) -> None:
        self.change_label.setText(change)
        self.change_label.setVisible(bool(change))
        set_tone(self.change_label, tone)
        words = f"{self._caption}: {self.value_label.text()}"
        self.setAccessibleName(f"{words}, {change}" if change else words)
