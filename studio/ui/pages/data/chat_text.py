"""One chat in plain text, with what is learned told apart from what is only read.

It marks whole turns, for which tokens of a turn are trained is the template's business.
"""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor, QTextBlockFormat, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QTextEdit, QWidget
from typing_extensions import override

from studio.ui.fonts import MEDIUM, mono, sans
from studio.ui.pages.data.view_model import ShownTurn
from studio.ui.palette import current_tokens
from studio.ui.tokens import PointSize, Space, Tokens

_LINE_HEIGHT_PERCENT: Final = 130.0


class ChatText(QTextEdit):
    """A read-only text; answers stand on the ground of what is trained."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._turns: Sequence[ShownTurn] = ()
        self.setReadOnly(True)
        self.setProperty("role", "mono")
        self.setAccessibleName("The selected row")
        self.setTabChangesFocus(True)
        self.setUndoRedoEnabled(False)

    def set_turns(self, turns: Sequence[ShownTurn]) -> None:
        """Show another chat."""
        self._turns = turns
        self._write()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self._write()

    def _write(self) -> None:
        tokens = current_tokens()
        self.clear()
        cursor = self.textCursor()
        for turn in self._turns:
            self._write_turn(cursor, turn, tokens)
        self.moveCursor(QTextCursor.MoveOperation.Start)

    def _write_turn(self, cursor: QTextCursor, turn: ShownTurn, tokens: Tokens) -> None:
        block = QTextBlockFormat()
        block.setTopMargin(0 if cursor.atStart() else Space.MEDIUM)
        block.setLineHeight(
            _LINE_HEIGHT_PERCENT,
            QTextBlockFormat.LineHeightTypes.ProportionalHeight.value,
        )
        if cursor.atStart():
            cursor.setBlockFormat(block)
        else:
            cursor.insertBlock(block)
        cursor.insertText(f"{turn.speaker}, {turn.use}", _caption_format(tokens))
        for line in turn.text.split("\n"):
            block.setTopMargin(Space.HAIR)
            cursor.insertBlock(block)
            cursor.insertText(line, _text_format(tokens, trained=turn.trained))


def _caption_format(tokens: Tokens) -> QTextCharFormat:
    result = QTextCharFormat()
    result.setFont(sans(PointSize.CAPTION, MEDIUM))
    result.setForeground(QColor(tokens.muted))
    return result


def _text_format(tokens: Tokens, *, trained: bool) -> QTextCharFormat:
    result = QTextCharFormat()
    result.setFont(mono())
    result.setForeground(QColor(tokens.text if trained else tokens.muted))
    if trained:
        result.setBackground(QColor(tokens.selection))
        result.setUnderlineColor(QColor(tokens.accent))
        result.setUnderlineStyle(QTextCharFormat.UnderlineStyle.SingleUnderline)
    return result
