"""The card that the Recipe page plans for, told to the frame."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

if TYPE_CHECKING:
    from studio.domain.hardware import TrainingDevice


class PlannedCard(QObject):
    """The card that the recipe is priced for although it isn't here.

    Attributes:
        device: As an idle one; None for the device that a run would use.

    Signals:
        changed: Another card is planned for, or none.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.device: TrainingDevice | None = None

    def choose(self, device: "TrainingDevice | None") -> None:
        """Plan for a card; None for this machine."""
        if device != self.device:
            self.device = device
            self.changed.emit()
