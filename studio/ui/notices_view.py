"""Where posted problems stand until the user has read them: above the status bar.

A message that vanishes by itself takes its only copy with it, so each stays until it is
dismissed.
"""

from typing import Final

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from studio.domain.finding import Finding
from studio.ui.pages.finding_text import finding_text
from studio.ui.tokens import Space
from studio.ui.widgets.finding_card import FindingCard, Fix

MOST: Final = 3
_DISMISS: Final = Fix("dismiss", "Dismiss")


class NoticesView(QFrame):
    """The newest problems, at most three; hidden while there are none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Notices")
        self._cards = QVBoxLayout(self)
        self._cards.setContentsMargins(Space.PAGE, Space.SMALL, Space.PAGE, Space.SMALL)
        self._cards.setSpacing(Space.SMALL)
        self.hide()

    def findings(self) -> list[str]:
        """What is shown, oldest first."""
        return [card.text.what for card in self._shown()]

    @Slot(object)
    def show_finding(self, finding: Finding) -> None:
        """Show a problem below the others; one that stands there already isn't twice.

        The oldest makes room for a fourth.
        """
        text = finding_text(finding, (_DISMISS,))
        if any(card.text == text for card in self._shown()):
            return
        card = FindingCard(text, soft=True)
        card.fix_chosen.connect(self._on_fix_chosen)
        self._cards.addWidget(card)
        for old in self._shown()[:-MOST]:
            self._drop(old)
        self.show()

    def _shown(self) -> list[FindingCard]:
        items = [self._cards.itemAt(place) for place in range(self._cards.count())]
        widgets = [item.widget() for item in items if item is not None]
        return [widget for widget in widgets if isinstance(widget, FindingCard)]

    def _drop(self, card: FindingCard) -> None:
        self._cards.removeWidget(card)
        card.hide()
        card.deleteLater()
        self.setVisible(bool(self._shown()))

    @Slot()
    def _on_fix_chosen(self) -> None:
        card = self.sender()
        if isinstance(card, FindingCard):
            self._drop(card)
