"""A finding: what, what follows from it, and at most three fixes as buttons."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from studio.ui.icons import SIZE, IconName
from studio.ui.text import breakable
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.icon_label import IconLabel
from studio.ui.widgets.labels import Role, label

MOST_FIXES: Final = 3
_ALMOST_ALL: Final = 1000


class FindingKind(StrEnum):
    """How much a finding matters; members are in the order they are listed."""

    ERROR = "error"
    WARNING = "warning"
    MENDED = "mended"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Fix:
    """A remedy that is enough by itself.

    Attributes:
        key: What `FindingCard.fix_chosen` tells.
        text: The button's verb.
        flat: Drawn without an edge, for a mere look.
    """

    key: str
    text: str
    flat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingText:
    """What a finding card says.

    Attributes:
        kind: Its icon and colour.
        what: What is so, and where.
        consequence: What follows from it, and what was kept.
        fixes: At most three.
    """

    kind: FindingKind
    what: str
    consequence: str = ""
    fixes: tuple[Fix, ...] = ()


_MARKS: Final = {
    FindingKind.ERROR: (IconName.CROSS_CIRCLE, Tone.DANGER),
    FindingKind.WARNING: (IconName.WARNING, Tone.WARNING),
    FindingKind.MENDED: (IconName.CHECK_CIRCLE, Tone.SUCCESS),
    FindingKind.INFO: (IconName.INFO, Tone.INFO),
}


class FindingCard(QFrame):
    """A finding as a row of a card, or on soft ground by itself.

    Attributes:
        text: What it says.

    Signals:
        fix_chosen: The key of the fix.
    """

    fix_chosen = Signal(str)

    def __init__(
        self,
        text: FindingText,
        *,
        soft: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        """Make the card.

        Args:
            text: What it says.
            soft: Stand on the soft ground of its colour.
            parent: The parent widget.

        Raises:
            ValueError: More than three fixes.
        """
        super().__init__(parent)
        if len(text.fixes) > MOST_FIXES:
            message = f"a finding has at most {MOST_FIXES} fixes, not {len(text.fixes)}"
            raise ValueError(message)
        self.text = text
        icon, tone = _MARKS[text.kind]
        if soft:
            self.setProperty("ground", tone.value)
        self.setAccessibleName(f"{text.kind.value}: {text.what}")
        row = QHBoxLayout(self)
        margin = Space.MEDIUM if soft else 0
        row.setContentsMargins(margin, Space.SMALL, margin, Space.SMALL)
        row.setSpacing(Space.MEDIUM)
        top = Qt.AlignmentFlag.AlignTop
        row.addWidget(IconLabel(icon, tone, SIZE), 0, top)
        texts = self._make_texts()
        row.addLayout(texts, _ALMOST_ALL)
        # Texts stop at their widest; without this the icon's cell would grow instead.
        row.addStretch(1)
        self._add_fixes(row, texts)

    def _make_texts(self) -> QVBoxLayout:
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(label(breakable(self.text.what), Role.STRONG, wraps=True))
        if self.text.consequence:
            words = breakable(self.text.consequence)
            texts.addWidget(label(words, Role.CAPTION, Tone.MUTED, wraps=True))
        return texts

    def _add_fixes(self, row: QHBoxLayout, texts: QVBoxLayout) -> None:
        holder = row
        if len(self.text.fixes) > 1:
            holder = QHBoxLayout()
            holder.setSpacing(Space.SMALL)
            texts.addSpacing(Space.HAIR)
            texts.addLayout(holder)
        for fix in self.text.fixes:
            kind = ButtonKind.FLAT if fix.flat else ButtonKind.NORMAL
            made = button(fix.text, kind)
            made.setProperty("fix", fix.key)
            made.setAccessibleName(f"{fix.text}: {self.text.what}")
            made.clicked.connect(self._on_fix_clicked)
            holder.addWidget(made)
        if holder is not row:
            holder.addStretch(1)

    def _on_fix_clicked(self) -> None:
        sender = self.sender()
        if sender is not None:
            self.fix_chosen.emit(str(sender.property("fix")))
