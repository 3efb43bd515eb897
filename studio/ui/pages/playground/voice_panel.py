"""One voice's side of the talk: who it is, and what it said."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor, QFont, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QTextEdit, QWidget
from typing_extensions import override

from studio.ui.pages.playground.view_model import Entry
from studio.ui.palette import current_tokens
from studio.ui.tokens import Space, Tone, ink_for
from studio.ui.widgets.card import Card
from studio.ui.widgets.inputs import ChoiceBox

_LIST_WIDTH = 190


class VoicePanel(Card):
    """A list to choose the voice by, a note, and the talk, which scrolls.

    Attributes:
        voices: Chooses who speaks here.
        text: The talk.
    """

    def __init__(self, side: str, parent: QWidget | None = None) -> None:
        """Make an empty panel.

        Args:
            side: ``left`` or ``right``, for screen readers.
            parent: The parent widget.
        """
        super().__init__(" ", " ", parent=parent)
        self.setAccessibleName(f"Voice at the {side}")
        self.voices = ChoiceBox(name=f"Voice at the {side}")
        self.voices.setFixedWidth(_LIST_WIDTH)
        assert self.header is not None
        assert self.title_label is not None
        self.title_label.hide()
        self.header.insertWidget(0, self.voices)
        self.text = QTextEdit()
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setUndoRedoEnabled(False)
        self.text.setAccessibleName(f"What the voice at the {side} said")
        self.body.addWidget(self.text, 1)
        self._shown: tuple[Entry, ...] = ()
        self.set_note("")

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Show a talk; what was there and only grew is added to."""
        told = tuple(entries)
        if told == self._shown:
            return
        more = _grown(self._shown, told)
        self._shown = told
        if more is None:
            self._write_all()
        else:
            self._append(more)

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self._write_all()

    def _append(self, text: str) -> None:
        bar = self.text.verticalScrollBar()
        follows = bar.value() >= bar.maximum() - Space.PAGE
        cursor = QTextCursor(self.text.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertText(text, _look(Tone.NORMAL))
        if follows:
            bar.setValue(bar.maximum())

    def _write_all(self) -> None:
        self.text.clear()
        cursor = QTextCursor(self.text.document())
        for place, entry in enumerate(self._shown):
            gap = "\n\n" if place else ""
            cursor.insertText(f"{gap}{entry.question}\n", _look(Tone.MUTED, bold=True))
            last = place == len(self._shown) - 1
            if entry.remark:
                tone = Tone.DANGER if entry.is_refused else Tone.MUTED
                answer = f"{entry.text}\n" if entry.text else ""
                cursor.insertText(answer, _look(Tone.NORMAL))
                cursor.insertText(entry.remark, _look(tone))
            elif entry.text or last:
                cursor.insertText(entry.text, _look(Tone.NORMAL))
        bar = self.text.verticalScrollBar()
        bar.setValue(bar.maximum())


def _grown(before: tuple[Entry, ...], now: tuple[Entry, ...]) -> str | None:
    """What the last answer has more than before; None where more has changed."""
    if not before or len(before) != len(now) or before[:-1] != now[:-1]:
        return None
    old, new = before[-1], now[-1]
    same = (old.question, old.remark) == (new.question, new.remark)
    if same and not new.remark and new.text.startswith(old.text):
        return new.text[len(old.text) :]
    return None


def _look(tone: Tone, *, bold: bool = False) -> QTextCharFormat:
    look = QTextCharFormat()
    look.setForeground(QColor(ink_for(current_tokens(), tone)))
    look.setFontWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
    return look
