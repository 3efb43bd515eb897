"""The Playground page's layout."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from studio.ui.icon_names import IconName
from studio.ui.keys import Deed, key_of
from studio.ui.pages.empty_page import TOP_LEFT, empty_page
from studio.ui.pages.playground.settings import SamplingForm
from studio.ui.pages.playground.view_model import NOTHING_YET
from studio.ui.pages.playground.voice_panel import VoicePanel
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, ButtonSize, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.inputs import ChoiceBox
from studio.ui.widgets.labels import ElidedLabel, Role
from studio.ui.widgets.page import PageFrame

_RUN_WIDTH = 200
_PROMPT_HEIGHT = 72
_LEAST_TALK = 200


class PlaygroundPageView(PageFrame):
    """Two voices side by side, and the box that asks both.

    Attributes:
        runs: Chooses whose voices.
        free, begin, save: Free the memory, begin anew, save the comparison.
        empty, to_recipe, to_runs: Shown while nobody can be talked to.
        filled: Everything else.
        findings: What went wrong, or is to be decided.
        left, right: The voices.
        prompt: What is asked.
        ask, stop: Begin and end an answer.
        drawer: Opens the settings.
        settings: How answers are drawn.
    """

    def __init__(self) -> None:
        super().__init__("Playground")
        self._make_header()
        self.empty = empty_page(IconName.CHAT, *NOTHING_YET)
        self.to_recipe = button("Go to the recipe", ButtonKind.PRIMARY)
        self.to_runs = button("Go to the runs")
        self.empty.add_button(self.to_recipe)
        self.empty.add_button(self.to_runs)
        self.filled = QWidget()
        whole = QVBoxLayout(self.filled)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(Space.LARGE)
        self.findings = QVBoxLayout()
        self.findings.setSpacing(Space.SMALL)
        self.left, self.right = VoicePanel("left"), VoicePanel("right")
        voices = QHBoxLayout()
        voices.setSpacing(Space.LARGE)
        for panel in (self.left, self.right):
            panel.text.setMinimumHeight(_LEAST_TALK)
            voices.addWidget(panel, 1)
        whole.addLayout(self.findings)
        whole.addLayout(voices, 1)
        whole.addWidget(self._make_question())
        self.content.addWidget(self.empty, 0, TOP_LEFT)
        self.content.addWidget(self.filled, 1)

    def show_settings_in_words(self, words: str) -> None:
        """Tell how answers are drawn while the drawer is closed."""
        self._in_words.set_text(words)

    def _make_header(self) -> None:
        self.runs = ChoiceBox(name="Run that is talked to")
        self.runs.setFixedWidth(_RUN_WIDTH)
        self.free = button("Free the memory", icon=IconName.CHIP)
        self.begin = button("New conversation", icon=IconName.PLUS)
        self.begin.setToolTip(key_of(Deed.NEW_TALK))
        self.save = button("Save…", icon=IconName.SAVE)
        for widget in (self.runs, self.free, self.begin, self.save):
            self.header.add_action_widget(widget)

    def _make_question(self) -> Card:
        card = Card()
        self.prompt = QPlainTextEdit()
        self.prompt.setAccessibleName("Question")
        self.prompt.setPlaceholderText("Ask both the same")
        self.prompt.setTabChangesFocus(True)
        self.prompt.setFixedHeight(_PROMPT_HEIGHT)
        self.ask = button(
            "Ask", ButtonKind.PRIMARY, IconName.CHAT, size=ButtonSize.LARGE
        )
        self.ask.setToolTip(key_of(Deed.SAY))
        self.stop = button("Stop", icon=IconName.STOP, size=ButtonSize.LARGE)
        self.stop.setToolTip(key_of(Deed.STOP_ANSWER))
        self.stop.hide()
        self.settings = SamplingForm()
        self.settings.hide()
        self.drawer = button("Settings", ButtonKind.FLAT, IconName.SLIDERS)
        self.drawer.setCheckable(True)
        self.drawer.toggled.connect(self.settings.setVisible)
        self._in_words = ElidedLabel("", Role.CAPTION, Tone.MUTED)
        asking = QHBoxLayout()
        asking.setSpacing(Space.SMALL)
        asking.addWidget(self.prompt, 1)
        for widget in (self.ask, self.stop):
            asking.addWidget(widget, 0, Qt.AlignmentFlag.AlignTop)
        below = QHBoxLayout()
        below.setSpacing(Space.SMALL)
        below.addWidget(self.drawer)
        below.addWidget(self._in_words, 1)
        card.body.addLayout(asking)
        card.body.addLayout(below)
        card.body.addWidget(self.settings)
        return card
