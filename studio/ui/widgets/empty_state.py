"""What a page shows when it has nothing yet: never a dead end."""

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget
from typing_extensions import override

from studio.ui.icons import SIZE, IconName, paint_icon
from studio.ui.palette import current_tokens
from studio.ui.tokens import Space, Tone, ink_for
from studio.ui.widgets.card import Card
from studio.ui.widgets.labels import Role, label

_DISC: Final = 48


class IconDisc(QWidget):
    """An icon on a sunken disc."""

    def __init__(
        self, icon: IconName, tone: Tone, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._icon = icon
        self._tone = tone
        self.setFixedSize(QSize(_DISC, _DISC))

    def set_icon(self, icon: IconName, tone: Tone) -> None:
        """Show another icon."""
        self._icon, self._tone = icon, tone
        self.update()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tokens = current_tokens()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tokens.sunken))
        painter.drawEllipse(self.rect())
        inset = (_DISC - SIZE) / 2
        target = QRectF(inset, inset, SIZE, SIZE)
        paint_icon(painter, self._icon, ink_for(tokens, self._tone), target)


class EmptyState(Card):
    """An icon, what is so, what it means, and the buttons that help.

    Attributes:
        headline: One short sentence.
        text: What it means and what was kept.
    """

    def __init__(
        self,
        icon: IconName,
        headline: str,
        text: str,
        tone: Tone = Tone.MUTED,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent=parent)
        self.setAccessibleName(headline)
        self.disc = IconDisc(icon, tone)
        self.headline = label(headline, Role.CARD_TITLE, wraps=True)
        self.text = label(text, tone=Tone.MUTED, wraps=True)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(Space.SMALL)
        self._buttons.addStretch(1)
        self._extra = QVBoxLayout()
        self.body.setSpacing(Space.SMALL)
        self.body.addWidget(self.disc)
        self.body.addSpacing(Space.SMALL)
        self.body.addWidget(self.headline)
        self.body.addWidget(self.text)
        self.body.addLayout(self._extra)
        self.body.addStretch(1)
        self.body.addLayout(self._buttons)

    def say(self, icon: IconName, headline: str, text: str, tone: Tone) -> None:
        """Tell of another state."""
        self.disc.set_icon(icon, tone)
        self.headline.setText(headline)
        self.text.setText(text)
        self.setAccessibleName(headline)

    def add_button(self, button: QPushButton) -> None:
        """Add a button; the first is the one that helps most."""
        self._buttons.insertWidget(self._buttons.count() - 1, button)

    def add_widget(self, widget: QWidget) -> None:
        """Put something between the text and the buttons."""
        self._extra.addWidget(widget)
