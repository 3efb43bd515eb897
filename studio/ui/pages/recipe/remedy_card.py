"""A finding with ways out, each on a line of its own with what it saves."""

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.ui.pages.recipe.remedies import Remedy
from studio.ui.text import signed_gib
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import button
from studio.ui.widgets.finding_card import FindingCard, FindingText
from studio.ui.widgets.labels import Role, label

_INDENT = Space.WIDE


class RemedyCard(QWidget):
    """The finding, and below it a button for each remedy.

    Attributes:
        text: What it says; its fixes are the remedies.

    Signals:
        fix_chosen: The key of the remedy's fix.
    """

    fix_chosen = Signal(str)

    def __init__(
        self,
        text: FindingText,
        ways_out: Sequence[Remedy],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.text = text
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, Space.SMALL)
        column.setSpacing(Space.HAIR)
        column.addWidget(FindingCard(replace(text, fixes=())))
        for fix, way in zip(text.fixes, ways_out, strict=True):
            made = button(fix.text)
            made.setProperty("fix", fix.key)
            made.clicked.connect(self._on_clicked)
            saved = label(f"{signed_gib(-way.saves_bytes)} GiB", tone=Tone.SUCCESS)
            saved.setProperty("role", Role.ANSWER.value)
            made.setAccessibleDescription(saved.text())
            row = QHBoxLayout()
            row.setContentsMargins(_INDENT, 0, Space.SMALL, 0)
            row.addWidget(made)
            row.addStretch(1)
            row.addWidget(saved)
            column.addLayout(row)

    def _on_clicked(self) -> None:
        sender = self.sender()
        if sender is not None:
            self.fix_chosen.emit(str(sender.property("fix")))
