"""A page's empty state at its size: a card at the top left, not a blank page."""

from typing import Final

from PySide6.QtCore import Qt

from studio.ui.icon_names import IconName
from studio.ui.widgets.empty_state import EmptyState

_WIDTH: Final = 480
_HEIGHT: Final = 264
# Where a page's layout puts it; without it a layout centres a card of fixed size.
TOP_LEFT: Final = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft


def empty_page(icon: IconName, headline: str, text: str) -> EmptyState:
    """What a page shows while it has nothing; buttons are added by the page."""
    card = EmptyState(icon, headline, text)
    card.setFixedSize(_WIDTH, _HEIGHT)
    return card
