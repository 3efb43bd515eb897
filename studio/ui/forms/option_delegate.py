"""The value column: a value with its chevron or its error, and the editor by kind."""

from typing import Final

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    Qt,
    QTimer,
)
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QStyleOptionViewItem, QTableView, QWidget
from typing_extensions import override

from studio.domain.options import Option
from studio.ui.fonts import MEDIUM, REGULAR, SEMI_BOLD, sans
from studio.ui.forms.option_model import ERROR_ROLE, ROW_ROLE, Column, OptionModel
from studio.ui.forms.option_rows import OptionRow, SetBy, choices_of
from studio.ui.icons import SMALL_SIZE, IconName, paint_icon
from studio.ui.tokens import Height, PointSize, Radius, Tokens, Tone, ink_for
from studio.ui.widgets.inputs import ChoiceBox, TextField, set_error
from studio.ui.widgets.labels import set_look
from studio.ui.widgets.table import PADDING, TONE_ROLE, RowDelegate, draw_words

_Index = QModelIndex | QPersistentModelIndex
_EDITOR_HEIGHT: Final = 28
_SENTENCE_HEIGHT: Final = 16
_LEFT: Final = Qt.AlignmentFlag.AlignLeft


class OptionDelegate(RowDelegate):
    """Draws a cell, and its part of the sentence that runs below a refused value."""

    @override
    def paint_content(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: _Index,
        tokens: Tokens,
    ) -> None:
        cell = QRectF(option.rect)
        error = index.data(ERROR_ROLE)
        if error:
            self._paint_sentence(painter, cell, index, (str(error), tokens.danger))
            cell.setHeight(Height.ROW_DENSE)
        self.paint_cell(painter, cell, index, tokens)

    def paint_cell(
        self, painter: QPainter, cell: QRectF, index: _Index, tokens: Tokens
    ) -> None:
        """Draw what the cell holds, above the sentence."""
        rect = cell.adjusted(PADDING, 0, -PADDING, 0)
        words = str(index.data(Qt.ItemDataRole.DisplayRole) or "")
        tone = index.data(TONE_ROLE) or Tone.NORMAL
        is_figure = index.column() == Column.EFFECT
        side = Qt.AlignmentFlag.AlignRight if is_figure else _LEFT
        draw_words(painter, rect, words, _font_of(index), (side, ink_for(tokens, tone)))

    def _paint_sentence(
        self, painter: QPainter, cell: QRectF, index: _Index, look: tuple[str, str]
    ) -> None:
        """Draw this cell's part of a sentence that runs along the whole row."""
        words, colour = look
        font = sans(PointSize.CAPTION)
        width = QFontMetricsF(font).horizontalAdvance(words) + 8
        view = self.parent()
        assert isinstance(view, QTableView)
        start = view.horizontalHeader().sectionPosition(index.column())
        top = cell.top() + Height.ROW_DENSE - 4
        rect = QRectF(cell.left() + PADDING - start, top, width, _SENTENCE_HEIGHT)
        painter.save()
        painter.setClipRect(cell)
        draw_words(painter, rect, words, font, (_LEFT, colour))
        painter.restore()


class ValueDelegate(OptionDelegate):
    """Draws values and makes their editors; it knows kinds, not meanings."""

    @override
    def paint_cell(
        self, painter: QPainter, cell: QRectF, index: _Index, tokens: Tokens
    ) -> None:
        row = index.data(ROW_ROLE)
        if not isinstance(row, OptionRow):
            return
        rect = cell.adjusted(PADDING, 0, -PADDING, 0)
        words = str(index.data(Qt.ItemDataRole.DisplayRole))
        if index.data(ERROR_ROLE):
            _paint_danger(painter, cell, tokens)
        if choices_of(row.option) and row.set_by is not SetBy.ONLY_ONE:
            top = cell.center().y() - SMALL_SIZE / 2
            left = rect.right() - SMALL_SIZE
            chevron = QRectF(left, top, SMALL_SIZE, SMALL_SIZE)
            paint_icon(painter, IconName.CHEVRON_DOWN, tokens.text, chevron)
            rect.setRight(left - 4)
        font = sans(PointSize.BODY, MEDIUM)
        draw_words(painter, rect, words, font, (_LEFT, tokens.text))

    @override
    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: _Index
    ) -> QWidget:
        row = index.data(ROW_ROLE)
        assert isinstance(row, OptionRow)
        editor = make_editor(row.option, parent)
        set_look(editor, "inset", value=True)
        if isinstance(editor, ChoiceBox):
            editor.activated.connect(self._on_choice_activated)
            QTimer.singleShot(0, editor, editor.showPopup)
        return editor

    @override
    def setEditorData(self, editor: QWidget, index: _Index) -> None:
        model, row = index.model(), index.data(ROW_ROLE)
        assert isinstance(model, OptionModel)
        assert isinstance(row, OptionRow)
        if isinstance(editor, ChoiceBox):
            editor.set_value(row.option.show(row.value))
        elif isinstance(editor, TextField):
            editor.setText(model.typed_text(row))
            set_error(editor, model.error_of(row.option.key))
            editor.selectAll()

    @override
    def setModelData(
        self, editor: QWidget, model: QAbstractItemModel, index: _Index
    ) -> None:
        if isinstance(editor, ChoiceBox):
            model.setData(index, editor.value())
        elif isinstance(editor, TextField):
            model.setData(index, editor.text())

    @override
    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: _Index
    ) -> None:
        cell: QRect = option.rect
        top = cell.top() + (Height.ROW_DENSE - _EDITOR_HEIGHT) // 2
        editor.setGeometry(cell.left() + 4, top, cell.width() - 8, _EDITOR_HEIGHT)

    def _on_choice_activated(self) -> None:
        editor = self.sender()
        if isinstance(editor, ChoiceBox):
            self.commitData.emit(editor)
            self.closeEditor.emit(editor)


def make_editor(option: Option, parent: QWidget | None = None) -> QWidget:
    """The editor of an option's kind: a list for choices, a field for the rest."""
    choices = choices_of(option)
    if choices:
        return ChoiceBox(choices, name=option.title, parent=parent)
    name = f"{option.title}, {option.unit}" if option.unit else option.title
    return TextField(name=name, hint=option.expectation(), parent=parent)


def _font_of(index: _Index) -> QFont:
    if index.column() != Column.SET_BY:
        return sans()
    is_own = index.data(TONE_ROLE) == Tone.ACCENT
    return sans(PointSize.CAPTION, SEMI_BOLD if is_own else REGULAR)


def _paint_danger(painter: QPainter, cell: QRectF, tokens: Tokens) -> None:
    painter.setPen(QPen(QColor(tokens.danger), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    top = cell.center().y() - _EDITOR_HEIGHT / 2
    edge = QRectF(cell.left() + 4, top, cell.width() - 8, _EDITOR_HEIGHT)
    inner = edge.adjusted(0.5, 0.5, -0.5, -0.5)
    painter.drawRoundedRect(inner, Radius.BAR, Radius.BAR)
