"""The form that assigns columns, with the first rows as they would be read."""

from typing import Final

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import QKeyEvent, QWheelEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QPlainTextEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from studio.domain.data_mapping import MappingError, mapping_of
from studio.domain.data_options import DataOptions
from studio.domain.finding import Finding
from studio.services.mapping_previewer import MappingPreview, MappingPreviewer
from studio.ui.pages.data.chat_text import ChatText
from studio.ui.pages.data.mapping_words import (
    HINT,
    RECOGNISE,
    chosen_words,
    first_row,
    format_choices,
    preview_note,
    preview_turns,
    refusal_words,
    said,
)
from studio.ui.tokens import Height, Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.inputs import ChoiceBox
from studio.ui.widgets.labels import Role, label, set_tone
from studio.ui.widgets.page import TwoColumns

_FORM_WIDTH: Final = 448
_REST_MS: Final = 250
_FIRST_ROW_HEIGHT: Final = 128


class SourceBox(QComboBox):
    """A place in the rows, chosen from the columns or typed."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumContentsLength(12)
        field = self.lineEdit()
        assert field is not None  # an editable box has one
        field.setAccessibleName(name)

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()


class MappingForm(QWidget):
    """Which column is which part of an example.

    Attributes:
        format: The form of the rows.
        sources: A box for each part, by the part's name.
        rows: The first rows as they would be read.
        use: Takes the choice.
        cancel: Leaves everything as it was.

    Signals:
        choice_made(str, object): The format's name and the columns' words.
        left: The form was left without a choice.
    """

    choice_made = Signal(str, object)
    left = Signal()

    def __init__(self, previewer: MappingPreviewer) -> None:
        super().__init__()
        self._previewer = previewer
        self._path = ""
        self._shall_fill = False
        self._in_force = RECOGNISE
        self.sources: dict[str, SourceBox] = {}
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._ask)
        columns = TwoColumns(side_width=_FORM_WIDTH, side_is_left=True)
        columns.left.addWidget(self._make_form(), 1)
        columns.right.addWidget(self._make_rows(), 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(columns)
        self.format.activated.connect(self._on_format_chosen)
        self.use.clicked.connect(self._on_use)
        self.cancel.clicked.connect(self.left)
        previewer.preview_ready.connect(self._on_preview_ready)
        previewer.preview_failed.connect(self._on_preview_failed)

    def begin(self, data: DataOptions) -> None:
        """Show how a recipe's file is read now."""
        self._path, self._shall_fill = data.path, True
        self.format.set_value(data.format)
        self._wait()
        self._previewer.ask(data.path, data.format, data.columns)
        self.format.setFocus()

    def words(self) -> tuple[str, ...]:
        """The columns as they are typed now."""
        typed = {name: box.currentText() for name, box in self.sources.items()}
        return chosen_words(typed)

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def _make_form(self) -> Card:
        card = Card("Assign columns")
        self.format = ChoiceBox(format_choices(), name="Form of the rows")
        self._fields = QFormLayout()
        self._fields.setHorizontalSpacing(Space.MEDIUM)
        self._fields.setVerticalSpacing(Space.SMALL)
        self._error = label("", Role.CAPTION, Tone.DANGER, wraps=True)
        self._error.hide()
        self._first = QPlainTextEdit()
        self._first.setReadOnly(True)
        self._first.setProperty("role", "mono")
        self._first.setTabChangesFocus(True)
        self._first.setAccessibleName("The file’s first row")
        self._first.setMinimumHeight(_FIRST_ROW_HEIGHT)
        self.use = button("Use these columns", ButtonKind.PRIMARY)
        self.cancel = button("Cancel")
        deeds = QHBoxLayout()
        deeds.setSpacing(Space.SMALL)
        deeds.addWidget(self.use)
        deeds.addWidget(self.cancel)
        deeds.addStretch(1)
        body = card.body
        body.addWidget(label("Form of the rows", Role.CAPTION, Tone.MUTED))
        body.addWidget(self.format)
        body.addSpacing(Space.SMALL)
        body.addLayout(self._fields)
        body.addWidget(label(HINT, Role.CAPTION, Tone.MUTED, wraps=True))
        body.addWidget(self._error)
        body.addSpacing(Space.SMALL)
        first = "The first row as it stands in the file"
        body.addWidget(label(first, Role.CAPTION, Tone.MUTED))
        body.addWidget(self._first, 1)
        body.addSpacing(Space.SMALL)
        body.addLayout(deeds)
        return card

    def _make_rows(self) -> Card:
        self._rows_card = Card("As they would be read", " ")
        self.rows = ChatText()
        self.rows.setAccessibleName("The first rows as they would be read")
        policy = QSizePolicy.Policy
        self.rows.setSizePolicy(policy.Expanding, policy.Ignored)
        self.rows.setMinimumHeight(_FIRST_ROW_HEIGHT)
        self._rows_card.body.addWidget(self.rows, 1)
        return self._rows_card

    def _fill(self, answer: MappingPreview) -> None:
        """Make a box for each part, filled with the columns in force."""
        while self._fields.rowCount():
            self._fields.removeRow(0)
        self.sources = {}
        for part in answer.parts:
            title = part.title if part.is_required else f"{part.title} (may be empty)"
            box = SourceBox(title)
            box.addItems(["", *answer.places])
            box.setEditText(answer.mapping.get(part.name, ""))
            box.editTextChanged.connect(self._on_source_edited)
            self.sources[part.name] = box
            words = label(title, Role.STRONG)
            words.setMinimumHeight(Height.CONTROL)
            self._fields.addRow(words, box)

    def _show_rows(self, answer: MappingPreview) -> None:
        self.rows.set_turns(preview_turns(answer))
        self._rows_card.set_note(preview_note(answer))
        self._first.setPlainText(first_row(answer))
        self._allow(refusal_words(answer))

    def _allow(self, refused: str) -> None:
        """Let the choice be made, or say why it can't be."""
        set_tone(self._error, Tone.DANGER)
        self.use.setEnabled(not refused)
        self.use.setAccessibleDescription(refused)
        self._error.setText(refused)
        self._error.setVisible(bool(refused))

    def _wait(self) -> None:
        """Let no choice be made before its rows are there; that is no error."""
        self._allow("The first rows are being read.")
        set_tone(self._error, Tone.MUTED)

    def _choice(self) -> tuple[str, tuple[str, ...]]:
        name = self.format.value()
        return name, () if name == RECOGNISE else self.words()

    @Slot()
    def _ask(self) -> None:
        name, words = self._choice()
        try:
            mapping_of(words)
        except MappingError as fault:
            self._allow(f"{str(fault).capitalize()}.")
            return
        self._previewer.ask(self._path, name, words)

    @Slot()
    def _on_format_chosen(self) -> None:
        self._rest.stop()
        self._shall_fill = True
        self._wait()
        self._previewer.ask(self._path, self.format.value(), ())

    @Slot()
    def _on_source_edited(self) -> None:
        if self.format.value() == RECOGNISE:
            self.format.set_value(self._in_force)
        self._wait()
        self._rest.start()

    @Slot(object)
    def _on_preview_ready(self, answer: MappingPreview) -> None:
        self._in_force = answer.format_name
        if self._shall_fill:
            self._shall_fill = False
            self._fill(answer)
        self._show_rows(answer)

    @Slot(object)
    def _on_preview_failed(self, finding: Finding) -> None:
        self.rows.set_turns(())
        self._rows_card.set_note("")
        self._allow(said(finding))

    @Slot()
    def _on_use(self) -> None:
        name, words = self._choice()
        self.choice_made.emit(name, words)
