"""The row that is looked at: its turns at once, its tokens as soon as they are told."""

from PySide6.QtCore import QObject, QTimer, Slot

from studio.domain.dataset import ChatFile
from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.domain.recipe import Recipe
from studio.domain.token_view import TokenView
from studio.services.token_viewer import RowQuestion, TokenViewer
from studio.ui.pages.data.row_card import RowCard
from studio.ui.pages.data.rows_card import RowsCard
from studio.ui.pages.data.view_model import chat_note, chat_title, shown_turns

_SETTLED_MS = 80  # whoever holds a key down passes rows by without asking about them


class ShownRow(QObject):
    """Shows the current row of the table in the card beside it."""

    def __init__(
        self, rows: RowsCard, card: RowCard, viewer: TokenViewer, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._rows, self._card, self._viewer = rows, card, viewer
        self._told: TokenView | None = None
        self._question: RowQuestion | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_SETTLED_MS)
        self._timer.timeout.connect(self._on_settled)
        viewer.view_ready.connect(self._on_view_ready)
        viewer.view_failed.connect(self._on_view_failed)

    def show(self, file: ChatFile | None, recipe: Recipe, *, has_model: bool) -> None:
        """Show the current row.

        Args:
            file: Whose rows the table shows.
            recipe: Names data, model and sequence length.
            has_model: Whether the model's tokenizer is on this machine.
        """
        row = self._rows.table.current_row()
        chat = self._rows.model.chat_at(row)
        self._card.set_title(chat_title(chat))
        if chat is None or file is None:
            self._forget()
            self._card.show_tokens(None)
            self._card.turns.set_turns(())
            self._card.note.setText("")
            return
        held_out = self._rows.model.is_held_out(row)
        question = self._question_of(file, recipe) if has_model else None
        if question is not None and question == self._question:
            self._show_told()
            return
        self._forget()
        self._card.show_tokens(None)
        self._card.turns.set_turns(shown_turns(chat, held_out=held_out))
        counting = "The tokens of this row are being counted."
        note = chat_note(chat, held_out=held_out)
        self._card.note.setText(note if question is None else counting)
        self._question = question
        if question is not None:
            self._timer.start()

    def _question_of(self, file: ChatFile, recipe: Recipe) -> RowQuestion | None:
        try:
            return RowQuestion.about(file, self._rows.current_place(), recipe)
        except StudioError:
            return None  # the file was changed; the table tells

    def _forget(self) -> None:
        self._timer.stop()
        self._viewer.forget()
        self._question, self._told = None, None

    def _show_told(self) -> None:
        if self._told is not None:
            row = self._rows.table.current_row()
            held_out = self._rows.model.is_held_out(row)
            self._card.show_tokens(self._told, held_out=held_out)

    @Slot()
    def _on_settled(self) -> None:
        if self._question is not None:
            self._viewer.ask(self._question)

    @Slot(object)
    def _on_view_ready(self, view: TokenView) -> None:
        if self._question is not None and view.line == self._question.line:
            self._told = view
            self._show_told()

    @Slot(object)
    def _on_view_failed(self, finding: Finding) -> None:
        if self._question is not None:
            self._card.note.setText(f"No tokens: {finding.what}")
