"""The Settings page's layout."""

from typing import Final

from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from studio.ui.icon_names import IconName
from studio.ui.pages.settings.view_model import CLOSING, THEMES
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import button
from studio.ui.widgets.card import Card
from studio.ui.widgets.inputs import TextField
from studio.ui.widgets.labels import ElidedLabel, Role, label
from studio.ui.widgets.page import PageFrame
from studio.ui.widgets.segmented import Segmented

_WIDTH: Final = 720
_NAME_WIDTH: Final = 160


class FolderLine(QWidget):
    """A folder: what it holds, where it is, and a button that opens it.

    Attributes:
        path: Where it is.
        open: Shows it in the system's file manager.
    """

    def __init__(self, name: str, words: str) -> None:
        super().__init__()
        self.path = ElidedLabel("", Role.MONO)
        self.open: QPushButton = button("Open folder", icon=IconName.FOLDER)
        self.open.setAccessibleName(f"Open folder: {name}")
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(label(name, Role.STRONG))
        texts.addWidget(label(words, Role.CAPTION, Tone.MUTED))
        texts.addWidget(self.path)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Space.LARGE)
        row.addLayout(texts, 1)
        row.addWidget(self.open)


class SettingsView(PageFrame):
    """Look, closing, folders, a llama.cpp of the user's own.

    Attributes:
        theme, reduced_motion: The look.
        closing, closing_words: What becomes of a run when the window closes.
        data_folder, cache_folder: Where files lie.
        llama_cpp, llama_cpp_words: Where it lies, and what of it was found.
    """

    def __init__(self) -> None:
        super().__init__("Settings", "Saved as you change them")
        cards = self._make_look(), self._make_closing(), self._make_folders()
        for card in (*cards, self._make_llama_cpp()):
            card.setMaximumWidth(_WIDTH)
            self.content.addWidget(card)
        self.content.addStretch(1)

    def _make_look(self) -> Card:
        card = Card("Look")
        self.theme = Segmented(THEMES, name="Theme")
        self.reduced_motion = QCheckBox("Nothing moves by itself")
        card.body.setSpacing(Space.MEDIUM)
        card.body.addLayout(_named("Theme", self.theme))
        card.body.addLayout(_named("Motion", self.reduced_motion))
        return card

    def _make_closing(self) -> Card:
        card = Card("When the window closes during a run")
        self.closing = Segmented(CLOSING, name="When the window closes during a run")
        self.closing_words = label("", tone=Tone.MUTED, wraps=True)
        card.body.addWidget(self.closing)
        card.body.addWidget(self.closing_words)
        return card

    def _make_folders(self) -> Card:
        card = Card("Folders")
        self.data_folder = FolderLine("Data", "Projects, recipes and runs")
        self.cache_folder = FolderLine(
            "Cache", "Unpacked models; made again when deleted"
        )
        card.body.setSpacing(Space.MEDIUM)
        card.body.addWidget(self.data_folder)
        card.add_row_line()
        card.body.addWidget(self.cache_folder)
        return card

    def _make_llama_cpp(self) -> Card:
        card = Card("llama.cpp")
        self.llama_cpp = TextField(
            name="Folder of llama.cpp", hint="Its folder; empty to look on the path"
        )
        self.llama_cpp_words = label("", tone=Tone.MUTED, wraps=True)
        card.body.addWidget(self.llama_cpp)
        card.body.addWidget(self.llama_cpp_words)
        return card


def _named(name: str, control: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(Space.LARGE)
    caption = label(name, tone=Tone.MUTED)
    caption.setFixedWidth(_NAME_WIDTH)
    row.addWidget(caption)
    row.addWidget(control)
    row.addStretch(1)
    return row
