"""The lower part of a paused run's card: its memory against what is free now."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from studio.ui.pages.run.going_on import GoingOn
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.fit_mark import FitMark
from studio.ui.widgets.labels import Role, Sentence, label, line
from studio.ui.widgets.memory_bar import MemoryBar
from studio.ui.widgets.memory_bar_layout import BarHeight


class GoingOnPanel(QWidget):
    """What going on takes, whether it fits, and the offer to wait for it.

    Attributes:
        bar: The run's parts on top of what others hold now.
        mark: Whether it fits.
        words: What is needed and what is free.
        remedy: What would fit.
        by_itself: The check box.
        state: How far the wait is.

    Signals:
        wait_chosen(bool): The check box was clicked.
    """

    wait_chosen = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._caption = label("", Role.CAPTION, Tone.MUTED)
        self.words = Sentence("", Role.CAPTION)
        self.mark = FitMark(about="Going on")
        self.bar = MemoryBar(BarHeight.DETAILS)
        self.remedy = Sentence("", Role.CAPTION)
        self.remedy.setWordWrap(True)
        self.by_itself = QCheckBox("Go on by itself")
        self.by_itself.clicked.connect(self.wait_chosen)
        self.state = Sentence("", Role.CAPTION, Tone.MUTED)
        self.state.setWordWrap(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, Space.SMALL, 0, 0)
        column.setSpacing(Space.SMALL)
        column.addWidget(line())
        column.addLayout(self._make_head())
        column.addWidget(self.bar)
        column.addWidget(self.remedy)
        column.addLayout(self._make_offer())

    def show_going_on(self, shown: GoingOn) -> None:
        """Show what going on takes, without telling anybody of the check box."""
        self._caption.setText(shown.caption)
        self.words.set_text(shown.words)
        self.mark.set_mark(shown.mark)
        self.bar.set_state(shown.bar)
        self.remedy.set_text(shown.remedy)
        self.remedy.setVisible(bool(shown.remedy))
        self.by_itself.setText(shown.offer)
        self.by_itself.setChecked(shown.is_waiting)
        self.by_itself.setEnabled(not shown.obstacle or shown.is_waiting)
        state = shown.obstacle or shown.state
        self.state.set_text(state)
        self.by_itself.setAccessibleDescription(state)

    def _make_head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(Space.MEDIUM)
        row.addWidget(self._caption)
        row.addWidget(self.words, 1)
        row.addWidget(self.mark, 0, Qt.AlignmentFlag.AlignRight)
        return row

    def _make_offer(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(Space.MEDIUM)
        row.addWidget(self.by_itself)
        row.addWidget(self.state, 1)
        return row
