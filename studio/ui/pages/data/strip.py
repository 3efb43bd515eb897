"""The facts strip: the file, and what becomes of its rows."""

from typing import Final

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from studio.ui.icon_names import IconName
from studio.ui.pages.data.view_model import DataFacts
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.buttons import button
from studio.ui.widgets.card import Card
from studio.ui.widgets.icon_label import IconLabel
from studio.ui.widgets.labels import ElidedLabel, Role, label, line, set_tone

_STRIP_HEIGHT: Final = 56
_FIGURES: Final = 5


class FactsStrip(Card):
    """The file, and what becomes of its rows.

    Attributes:
        name, form: The file.
        figures: Value and caption labels, left to right.
        assign: Asks which column is which.
        replace: Opens the menu of those below.
        other_file, other_folder, from_hub, make_drafts, read_again: What can be done
            instead of, or with, the file.
    """

    def __init__(self) -> None:
        super().__init__(flush=True)
        self.setFixedHeight(_STRIP_HEIGHT)
        self.name = ElidedLabel("", Role.STRONG)
        self.form = ElidedLabel("", Role.CAPTION, Tone.MUTED)
        self.assign = button("Assign columns…")
        self.replace = button("Replace…")
        self._menu = QMenu(self.replace)
        self.other_file = QAction("Another file…", self)
        self.other_folder = QAction("A folder of files…", self)
        self.from_hub = QAction("From the Hugging Face hub…", self)
        self.make_drafts = QAction("Examples from documents…", self)
        self.read_again = QAction("Read it again", self)
        chosen = (self.other_file, self.other_folder, self.from_hub)
        for action in (*chosen, self.make_drafts, self.read_again):
            self._menu.addAction(action)
        self.replace.setMenu(self._menu)
        row = QHBoxLayout()
        row.setContentsMargins(Space.LARGE, 0, Space.LARGE, 0)
        row.setSpacing(Space.MEDIUM)
        row.addWidget(IconLabel(IconName.FILE))
        row.addLayout(_stacked(self.name, self.form), 1)
        self.figures = []
        self._dividers = []
        for _ in range(_FIGURES):
            value = label("", Role.STRONG)
            caption = label("", Role.CAPTION, Tone.MUTED)
            self.figures.append((value, caption))
            divider = line(vertical=True)
            divider.setFixedHeight(Height.CONTROL)
            self._dividers.append(divider)
            row.addWidget(divider)
            row.addLayout(_stacked(value, caption))
        row.addSpacing(Space.HAIR)
        row.addWidget(self.assign)
        row.addWidget(self.replace)
        self.body.addLayout(row)

    def show_facts(self, facts: DataFacts) -> None:
        """Tell of another file."""
        self.name.set_text(facts.name)
        self.name.setToolTip("")
        self.form.set_text(facts.form)
        set_tone(self.form, Tone.WARNING if facts.is_guessed else Tone.MUTED)
        for place, (value, caption) in enumerate(self.figures):
            known = place < len(facts.figures)
            figure, words = facts.figures[place] if known else ("", "")
            value.setText(figure)
            caption.setText(words)
            for part in (value, caption, self._dividers[place]):
                part.setVisible(known)
        self.setAccessibleDescription(facts.folder)


def _stacked(upper: QWidget, lower: QWidget) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setSpacing(0)
    column.addStretch(1)
    column.addWidget(upper)
    column.addWidget(lower)
    column.addStretch(1)
    return column
