"""The button “What if I had …”: the recipe priced for a card that isn't here."""

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QPushButton

from studio.domain.cards import CardFacts, CardKind
from studio.services.cards import known_cards
from studio.ui.widgets.buttons import ButtonKind, button

if TYPE_CHECKING:
    from studio.domain.hardware import TrainingDevice

_KINDS: Final = {
    CardKind.CONSUMER: "GeForce and TITAN",
    CardKind.LAPTOP: "Laptops",
    CardKind.WORKSTATION: "Workstation",
    CardKind.DATA_CENTRE: "Data centre",
}
_ASKS: Final = "What if I had …"


class Planner(QObject):
    """Chooses a card to plan for, from the list of known ones.

    Attributes:
        button: Opens the list; bears the card's name while one is planned for.
        device: The card that is planned for, idle; None for this machine.

    Signals:
        changed: Another card is planned for, or none.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.device: TrainingDevice | None = None
        self.button: QPushButton = button(_ASKS, ButtonKind.FLAT)
        self.button.setToolTip("Prices the recipe for a card that isn’t here.")
        self._menu = QMenu(self.button)
        self._menu.aboutToShow.connect(self._fill)
        self.button.setMenu(self._menu)

    def plan_for(self, card: CardFacts | None) -> None:
        """Price for a card that isn't here, or for this machine again."""
        self.device = None if card is None else card.device()
        self.button.setText(_ASKS if card is None else f"Planned for {card.name}")
        self.changed.emit()

    @Slot()
    def _fill(self) -> None:
        if not self._menu.isEmpty():
            return
        self._menu.addAction(self._action("This machine", None))
        self._menu.addSeparator()
        for kind, title in _KINDS.items():
            submenu = self._menu.addMenu(title)
            of_kind = [card for card in known_cards() if card.kind is kind]
            for card in sorted(of_kind, key=lambda each: (-each.memory_gib, each.name)):
                words = f"{card.name} · {card.memory_gib} GB"
                submenu.addAction(self._action(words, card))

    def _action(self, words: str, card: CardFacts | None) -> QAction:
        action = QAction(words, self)
        action.triggered.connect(lambda: self.plan_for(card))
        return action
