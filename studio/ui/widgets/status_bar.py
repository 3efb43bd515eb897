"""The status bar: the card as it is now, and the state of the run, on every page."""

from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from studio.ui.icons import IconName, set_icon
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.icon_label import IconLabel
from studio.ui.widgets.labels import Role, Sentence, label, line
from studio.ui.widgets.memory_bar import MemoryBar
from studio.ui.widgets.memory_bar_layout import BarHeight
from studio.ui.widgets.memory_bar_state import MemoryBarState, Segment

_BAR_WIDTH = 200
_NAME_WIDTH = 320


@dataclass(frozen=True, slots=True, kw_only=True)
class CardReading:
    """What the status bar tells of the card.

    Attributes:
        name: The card, or a sentence that there is none.
        memory: Its memory now, or None when it can't be read.
        temperature_c: Degrees Celsius, or None when unknown.
        driver: The driver's version, empty when unknown.
    """

    name: str
    memory: MemoryBarState | None = None
    temperature_c: int | None = None
    driver: str = ""


class StatusBar(QFrame):
    """32 px at the window's foot.

    Attributes:
        memory_bar: The card's memory now, with a tick at the predicted peak.

    Signals:
        card_clicked: The memory bar was clicked.
        state_clicked: The state of the run was clicked.
    """

    card_clicked = Signal()
    state_clicked = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("ground", "status")
        self.setFixedHeight(Height.STATUS_BAR)
        self._card_name = label("", Role.CAPTION_STRONG)
        self._free = Sentence("", Role.CAPTION, Tone.MUTED)
        self._temperature = label("", Role.CAPTION, Tone.MUTED)
        self._driver = label("", Role.CAPTION, Tone.MUTED)
        self._lines = (line(vertical=True), line(vertical=True))
        self.memory_bar = MemoryBar(BarHeight.STATUS)
        self.memory_bar.setFixedWidth(_BAR_WIDTH)
        self.memory_bar.setCursor(Qt.CursorShape.PointingHandCursor)
        self.memory_bar.bar_clicked.connect(self.card_clicked)
        self._state = QPushButton()
        self._state.setProperty("kind", "status")
        self._state.setCursor(Qt.CursorShape.PointingHandCursor)
        self._state.clicked.connect(self.state_clicked)
        self._lay_out()
        self.show_card(CardReading(name="Looking for a card"))
        self.show_state("Ready", IconName.CHECK)

    def show_card(self, card: CardReading) -> None:
        """Show a reading of the card."""
        metrics = self._card_name.fontMetrics()
        mode = Qt.TextElideMode.ElideRight
        self._card_name.setText(metrics.elidedText(card.name, mode, _NAME_WIDTH))
        self._card_name.setToolTip(card.name)
        self.memory_bar.setVisible(card.memory is not None)
        self._free.setVisible(card.memory is not None)
        if card.memory is not None:
            self.memory_bar.set_state(card.memory)
            free = card.memory.figure(Segment.FREE)
            self._free.set_text(f"**{free}** of {card.memory.total_figure()} GiB free")
        self._show_fact(0, self._temperature, self._degrees(card.temperature_c))
        driver = f"Driver {card.driver}" if card.driver else ""
        self._show_fact(1, self._driver, driver)

    def show_state(self, words: str, icon: IconName) -> None:
        """Show the state of the run, or the last deed."""
        self._state.setText(f" {words}".replace("&", "&&"))
        self._state.setAccessibleName(words)
        set_icon(self._state, icon)

    def _show_fact(self, place: int, fact: QLabel, text: str) -> None:
        fact.setText(text)
        fact.setVisible(bool(text))
        self._lines[place].setVisible(bool(text))

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.LARGE, 0, Space.SMALL, 0)
        row.setSpacing(Space.MEDIUM)
        row.addWidget(IconLabel(IconName.CHIP))
        row.addWidget(self._card_name)
        row.addWidget(self.memory_bar)
        row.addWidget(self._free)
        for divider, fact in zip(
            self._lines, (self._temperature, self._driver), strict=True
        ):
            divider.setFixedHeight(Space.LARGE)
            row.addWidget(divider)
            row.addWidget(fact)
        row.addStretch(1)
        row.addWidget(self._state)

    @staticmethod
    def _degrees(temperature_c: int | None) -> str:
        return "" if temperature_c is None else f"{temperature_c} °C"
