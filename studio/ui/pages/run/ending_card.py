"""The card that tells how a run ended and what can be done next."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QVBoxLayout, QWidget
from typing_extensions import override

from studio.ui.icon_names import IconName
from studio.ui.icons import SIZE
from studio.ui.pages.run.endings import Ending, NextDeed
from studio.ui.pages.run.going_on import GoingOn
from studio.ui.pages.run.going_on_panel import GoingOnPanel
from studio.ui.tokens import Space
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.icon_label import IconLabel
from studio.ui.widgets.labels import Role, Sentence, label

_TEXT_WIDTH = 560
"""What the texts need to stand beside the buttons; with less they stand above."""
_BESIDE = QBoxLayout.Direction.LeftToRight
_ABOVE = QBoxLayout.Direction.TopToBottom


class EndingCard(Card):
    """How the run ended, in place of its progress.

    Attributes:
        headline: What is so.
        text: What was kept and what to do.
        going_on: A paused run's memory against what is free now.

    Signals:
        deed_chosen: A `NextDeed`'s value.
    """

    deed_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._icon = IconLabel(IconName.CHECK_CIRCLE, size=SIZE)
        self.headline = label("", Role.PAGE_TITLE, wraps=True)
        self.text = Sentence()
        self.text.setWordWrap(True)
        self._buttons = {deed: button(deed.words) for deed in NextDeed}
        self._primaries = {
            deed: button(deed.words, ButtonKind.PRIMARY)
            for deed in (NextDeed.RESULT, NextDeed.RESUME)
        }
        self._deeds: tuple[NextDeed, ...] = ()
        self._choices = self._make_buttons()
        self._row = QBoxLayout(_BESIDE)
        self._row.setSpacing(Space.MEDIUM)
        self._row.addLayout(self._make_texts(), 1)
        self._row.addLayout(self._choices)
        self._row.setAlignment(
            self._choices, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        )
        self.going_on = GoingOnPanel()
        self.going_on.hide()
        self.body.addLayout(self._row)
        self.body.addWidget(self.going_on)

    def show_ending(self, ending: Ending) -> None:
        """Tell an end."""
        self._icon.set_icon(ending.icon, ending.tone)
        self.headline.setText(ending.headline)
        self.text.set_text(ending.text)
        self.text.setVisible(bool(ending.text))
        self.setAccessibleName(ending.headline)
        self._deeds = ending.deeds
        less = self._buttons[NextDeed.RESUME_LESS]
        less.setToolTip(ending.less)
        less.setAccessibleDescription(ending.less)
        for deed in NextDeed:
            shown = self.deed_button(deed)
            for made in (self._buttons[deed], self._primaries.get(deed)):
                if made is not None:
                    made.setVisible(deed in ending.deeds and made is shown)
        self._lay_out()

    def show_going_on(self, going_on: GoingOn | None) -> None:
        """Tell what going on takes; None where there is nothing to tell."""
        self.going_on.setVisible(going_on is not None)
        if going_on is not None:
            self.going_on.show_going_on(going_on)

    def deed_button(self, deed: NextDeed) -> QWidget:
        """The button of a deed: the primary one, where it helps most."""
        plain = self._buttons[deed]
        return self._primaries.get(deed, plain) if deed in self._deeds[:1] else plain

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    @override
    def minimumSizeHint(self) -> QSize:
        # Side by side its own minimum would keep it from getting narrow enough.
        return QSize(0, super().minimumSizeHint().height())

    def _lay_out(self) -> None:
        """Put the buttons beside the texts, or below where these would be squeezed."""
        needed = _TEXT_WIDTH + Space.MEDIUM + self._choices.sizeHint().width()
        wanted = _BESIDE if needed <= self.body.contentsRect().width() else _ABOVE
        if self._row.direction() is not wanted:
            self._row.setDirection(wanted)

    def _make_texts(self) -> QHBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(Space.HAIR)
        column.addWidget(self.headline)
        column.addWidget(self.text)
        row = QHBoxLayout()
        row.setSpacing(Space.MEDIUM)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(column, 1)
        return row

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        for deed, made in (*self._buttons.items(), *self._primaries.items()):
            made.setProperty("deed", deed.value)
            made.clicked.connect(self._on_clicked)
            row.addWidget(made)
        return row

    def _on_clicked(self) -> None:
        sender = self.sender()
        if sender is not None:
            self.deed_chosen.emit(str(sender.property("deed")))
