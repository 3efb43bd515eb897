"""The runs of the combining dialog: each with a tick and a weight."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QSizePolicy, QWidget

from studio.domain.combining import LEAST
from studio.ui.pages.runs.combine_model import even
from studio.ui.pages.runs.view_model import RunFacts
from studio.ui.pages.scroll_column import ScrollColumn
from studio.ui.tokens import Space
from studio.ui.widgets.inputs import DecimalField

_HEIGHT: Final = 40
_MOST_SEEN: Final = 6
_MOST: Final = 10.0


class CombineRow(QWidget):
    """One run.

    Attributes:
        facts: Of the run.
        tick: Whether it counts.
        weight: How much; its share of 1 until the user says otherwise.
        is_own: Whether the user said so.

    Signals:
        row_edited: Tick or weight is another.
    """

    row_edited = Signal()

    def __init__(self, facts: RunFacts, *, is_ticked: bool) -> None:
        super().__init__()
        name = facts.snapshot.name
        self.facts, self.is_own = facts, False
        self.tick = QCheckBox(name)
        self.tick.setChecked(is_ticked)
        self.weight = DecimalField(-_MOST, _MOST, name=f"Weight of {name}")
        self.weight.setKeyboardTracking(True)
        self.weight.setEnabled(is_ticked)
        self.weight.setToolTip("Its share; below 0 it is taken away.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, Space.HAIR, Space.SMALL, Space.HAIR)
        row.addWidget(self.tick, 1)
        row.addWidget(self.weight)
        self.setFixedHeight(_HEIGHT)
        self.tick.toggled.connect(self._on_toggled)
        self.weight.valueChanged.connect(self._on_weight)

    def propose(self, weight: float) -> None:
        """Show a weight that the user may change."""
        if not self.is_own:
            self.weight.blockSignals(True)
            self.weight.setValue(weight)
            self.weight.blockSignals(False)

    @Slot(bool)
    def _on_toggled(self, is_ticked: bool) -> None:
        self.weight.setEnabled(is_ticked)
        self.row_edited.emit()

    @Slot()
    def _on_weight(self) -> None:
        self.is_own = True
        self.row_edited.emit()


class CombineRows(ScrollColumn):
    """All runs that can be combined.

    Attributes:
        all: A row each.

    Signals:
        rows_edited: Another run, or another weight.
    """

    rows_edited = Signal()

    def __init__(self, runs: Sequence[RunFacts]) -> None:
        """Make the rows; the first two runs are ticked.

        Args:
            runs: The one that was chosen, then the others.
        """
        super().__init__("Runs that can be combined")
        self.all = [CombineRow(run, is_ticked=n < LEAST) for n, run in enumerate(runs)]
        self.set_rows(self.all)
        # Unlike a card's, its height is its own.
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_HEIGHT * min(len(self.all), _MOST_SEEN))
        for row in self.all:
            row.row_edited.connect(self._on_edited)
        self._propose()

    def ticked(self) -> list[CombineRow]:
        """The rows that count."""
        return [row for row in self.all if row.tick.isChecked()]

    def _propose(self) -> None:
        ticked = self.ticked()
        for row in ticked:
            row.propose(even(len(ticked)))

    @Slot()
    def _on_edited(self) -> None:
        self._propose()
        self.rows_edited.emit()
