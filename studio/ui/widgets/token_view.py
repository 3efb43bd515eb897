"""The token view: what a model reads of one row, and which of it is learnt.

A read-only text control, so that it can be selected, copied and read aloud; the grounds
of the tokens are painted below the text. All of it is plain text.
"""

import html
from collections.abc import Iterator
from typing import Final

from PySide6.QtCore import QEvent, QPoint, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextLayout,
)
from PySide6.QtWidgets import QTextEdit, QToolTip, QWidget
from typing_extensions import override

from studio.domain.token_view import TokenView
from studio.ui.fonts import mono
from studio.ui.palette import current_tokens
from studio.ui.tokens import Radius, Tokens
from studio.ui.widgets.token_pieces import (
    Look,
    Piece,
    PieceText,
    piece_text,
    token_words,
)

_LINE_PERCENT: Final = 150.0
_UNDERLINE: Final = 2.0
_BELOW: Final = 3.0  # from the text's box to the foot of its ground
_DASH: Final = (3.0, 2.0)
_STEPS: Final = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}


class TokenText(QTextEdit):
    """One example, token by token; Left and Right move from token to token.

    Attributes:
        view: What is shown; None shows nothing.
        pieces: Where its tokens stand.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view: TokenView | None = None
        self.pieces = PieceText()
        self._held_out = False
        self.setReadOnly(True)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setProperty("role", "mono")
        self.setAccessibleName("Tokens of the selected row")
        self.setTabChangesFocus(True)
        self.setUndoRedoEnabled(False)
        self.document().setDocumentMargin(4)
        self.cursorPositionChanged.connect(self._describe)

    def set_view(self, view: TokenView | None, *, held_out: bool = False) -> None:
        """Show another example.

        Args:
            view: The example as the trainer gets it.
            held_out: Whether its row is only measured with.
        """
        self.view, self._held_out = view, held_out
        self.pieces = PieceText() if view is None else piece_text(view)
        self.setPlainText(self.pieces.text)
        self._space_lines()
        self._ink()
        self.moveCursor(QTextCursor.MoveOperation.Start)
        self._describe()

    def current_token(self) -> int:
        """The number of the token at the cursor; -1 without tokens."""
        return self.pieces.piece_at(self.textCursor().position())

    def select_token(self, number: int) -> None:
        """Move the cursor to a token and tell what it is."""
        if self.view is None or not 0 <= number < len(self.pieces.pieces):
            return
        cursor = self.textCursor()
        cursor.setPosition(self.pieces.pieces[number].start)
        self.setTextCursor(cursor)
        self.ensureCursorVisible()
        at = self.cursorRect().bottomLeft()
        self._tell(number, self.viewport().mapToGlobal(at))

    def token_at(self, place: QPoint) -> int:
        """The token under a point of the viewport; -1 when there is none."""
        for _, number, rect in self._visible_boxes():
            if rect.contains(place):
                return number
        return -1

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = _STEPS.get(Qt.Key(event.key()))
        if step is None or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            super().keyPressEvent(event)
            return
        self.select_token(self.current_token() + step)

    @override
    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            number = self.token_at(event.pos())
            if number >= 0:
                self._tell(number, event.globalPos())
            else:
                QToolTip.hideText()
            return True
        return super().viewportEvent(event)

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self._ink()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tokens, current = current_tokens(), self.current_token()
        for piece, number, rect in self._visible_boxes():
            _paint_ground(painter, piece.look, rect, tokens)
            if number == current and self.hasFocus():
                painter.setPen(QPen(QColor(tokens.text), 1))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(rect, Radius.BAR, Radius.BAR)
        painter.end()
        super().paintEvent(event)

    def _space_lines(self) -> None:
        spaced = QTextBlockFormat()
        spaced.setLineHeight(
            _LINE_PERCENT, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value
        )
        cursor = QTextCursor(self.document())
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.setBlockFormat(spaced)
        # The style sheet's font would join <| and |> to signs that no token holds.
        plain = QTextCharFormat()
        plain.setFont(mono())
        cursor.setCharFormat(plain)

    def _ink(self) -> None:
        """Colour the text; neighbours that look alike are one range."""
        tokens, block = current_tokens(), self.document().begin()
        while block.isValid():
            ranges: list[QTextLayout.FormatRange] = []
            for piece, start, stop in self._pieces_in(block):
                if ranges and ranges[-1].format.property(_LOOK) == piece.look.value:
                    ranges[-1].length = stop - ranges[-1].start
                    continue
                one = QTextLayout.FormatRange()
                one.start, one.length = start, stop - start
                one.format = _format(piece.look, tokens)
                ranges.append(one)
            block.layout().setFormats(ranges)
            self.document().markContentsDirty(block.position(), block.length())
            block = block.next()

    def _pieces_in(self, block: QTextBlock) -> Iterator[tuple[Piece, int, int]]:
        """The tokens of a block, with where they begin and end in it."""
        first, last = block.position(), block.position() + block.length() - 1
        number = self.pieces.piece_at(first)
        while 0 <= number < len(self.pieces.pieces):
            piece = self.pieces.pieces[number]
            if piece.start > last:
                return
            start, stop = max(piece.start, first), min(piece.stop, last)
            if start < stop:
                yield piece, start - first, stop - first
            number += 1

    def _visible_boxes(self) -> Iterator[tuple[Piece, int, QRectF]]:
        """Each box of each token that can be seen: its token, number and place."""
        shift = self.verticalScrollBar().value()
        block = self.cursorForPosition(QPoint(0, 0)).block()
        layout = self.document().documentLayout()
        while block.isValid():
            place = layout.blockBoundingRect(block).translated(0, -shift)
            if place.top() > self.viewport().height():
                return
            yield from self._boxes_of(block, place)
            block = block.next()

    def _boxes_of(
        self, block: QTextBlock, place: QRectF
    ) -> Iterator[tuple[Piece, int, QRectF]]:
        text, height = block.layout(), self.viewport().height()
        tall = self.fontMetrics().height()
        for piece, start, stop in self._pieces_in(block):
            number = self.pieces.piece_at(piece.start)
            first = text.lineForTextPosition(start)
            last = text.lineForTextPosition(stop - 1)
            if not first.isValid() or not last.isValid():
                continue
            for at in range(first.lineNumber(), last.lineNumber() + 1):
                row = text.lineAt(at)
                foot = place.top() + row.y() + row.height() + _BELOW
                if foot < 0 or foot - row.height() > height:
                    continue
                begin = max(start, row.textStart())
                end = min(stop, row.textStart() + row.textLength())
                left, right = _x(row, begin), _x(row, end)
                left, right = min(left, right), max(left, right)
                top, wide = foot - tall - _BELOW, max(2.0, right - left - 1)
                box = QRectF(place.left() + left, top, wide, tall + _BELOW)
                yield piece, number, box

    def _tell(self, number: int, at: QPoint) -> None:
        if self.view is None:
            return
        words = token_words(self.view, number, held_out=self._held_out)
        # Qt would take a token that looks like a tag for one.
        QToolTip.showText(at, f"<span>{html.escape(words)}</span>", self)

    def _describe(self) -> None:
        """Tell a screen reader of the token at the cursor."""
        number = self.current_token()
        words = ""
        if self.view is not None and number >= 0:
            words = token_words(self.view, number, held_out=self._held_out)
        self.setAccessibleDescription(words)
        self.viewport().update()


_LOOK: Final = int(QTextCharFormat.Property.UserProperty) + 1


def _x(row: object, place: int) -> float:
    found = row.cursorToX(place)  # type: ignore[attr-defined]
    return float(found[0] if isinstance(found, tuple) else found)


def _format(look: Look, tokens: Tokens) -> QTextCharFormat:
    result = QTextCharFormat()
    result.setProperty(_LOOK, look.value)
    result.setForeground(QColor(tokens.text if look is Look.TRAINED else tokens.muted))
    result.setFontStrikeOut(look is Look.CUT)
    return result


def _paint_ground(painter: QPainter, look: Look, rect: QRectF, tokens: Tokens) -> None:
    if look is Look.TRAINED:
        painter.fillRect(rect, QColor(tokens.selection))
        line = QRectF(rect.left(), rect.bottom() - _UNDERLINE, rect.width(), _UNDERLINE)
        painter.fillRect(line, QColor(tokens.accent))
    elif look is Look.MARK:
        pen = QPen(QColor(tokens.border_strong), 1)
        pen.setDashPattern(list(_DASH))
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 2, 2)
    elif look is Look.CUT:
        painter.fillRect(rect, QColor(tokens.sunken))
