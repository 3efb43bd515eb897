"""The dialog that adds a recipe, or a sweep of it, to the runs that wait."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from studio.domain.errors import StudioError
from studio.domain.recipe import OPTIONS, Recipe
from studio.domain.run_queue import MOST_SWEPT_OPTIONS
from studio.services.run_queue import RunQueue
from studio.ui.pages.finding_text import show_findings
from studio.ui.pages.recipe.sweeping import (
    NO_OPTION,
    Swept,
    SweptOption,
    hint_of,
    now_words,
    sweepable,
    swept,
)
from studio.ui.pages.runs.start_time import StartTimeField
from studio.ui.text import count
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.inputs import ChoiceBox, TextField, set_error
from studio.ui.widgets.labels import Role, label, set_tone

_WIDTH: Final = 560
_OPTION_WIDTH: Final = 216
_SWEEP_WORDS: Final = (
    "Several values of an option make one run each; up to three options are combined."
)
_ORDINALS: Final = ("First", "Second", "Third")


class SweptRow(QWidget):
    """One option and the values that it shall take.

    Attributes:
        option: Which option.
        values: Its values, separated by commas.

    Signals:
        row_edited: Another option was chosen, or something typed.
    """

    row_edited = Signal()

    def __init__(
        self, place: int, recipe: Recipe, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._recipe = recipe
        ordinal = _ORDINALS[place]
        choices = [(NO_OPTION, "No option"), *sweepable()]
        self.option = ChoiceBox(choices, name=f"{ordinal} option of the sweep")
        self.option.setFixedWidth(_OPTION_WIDTH)
        self.values = TextField(name=f"Values of the {ordinal.lower()} option")
        self._note = label("", Role.CAPTION, Tone.MUTED, wraps=True)
        self._error = label("", Role.CAPTION, Tone.DANGER, wraps=True)
        first = QHBoxLayout()
        first.setSpacing(Space.SMALL)
        first.addWidget(self.option)
        first.addWidget(self.values, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.HAIR)
        column.addLayout(first)
        column.addWidget(self._error)
        column.addWidget(self._note)
        self.option.currentIndexChanged.connect(self._on_option_chosen)
        self.values.textChanged.connect(self.row_edited)
        self._on_option_chosen()

    def swept(self) -> SweptOption | None:
        """What it says; None without an option."""
        key = self.option.value()
        return SweptOption(key, self.values.text()) if key else None

    def show_error(self, sentence: str) -> None:
        """Say what is wrong with the values; nothing while there are none."""
        shown = sentence if self.values.text().strip() else ""
        set_error(self.values, shown, self._error)

    @Slot()
    def _on_option_chosen(self) -> None:
        key = self.option.value()
        self.values.setEnabled(bool(key))
        option = OPTIONS.get(key)
        self.values.setPlaceholderText("" if option is None else hint_of(option))
        now = "" if option is None else now_words(option, self._recipe.value(key))
        self._note.setText(now)
        self._note.setVisible(bool(now))
        self.show_error("")
        self.row_edited.emit()


class QueueDialog(QDialog):
    """What is added, from when on it may start, and whether the queue is started.

    Attributes:
        name: What the runs are called.
        rows: The options of a sweep.
        time: From when on they may start.
        starts: Whether the queue is started with it.
        add: Adds them.
        back: Changes nothing.
        findings: Why they could not be added.

    Signals:
        runs_added(int, bool): So many were added, and the queue is to be started.
    """

    runs_added = Signal(int, bool)

    def __init__(
        self, queue: RunQueue, project: tuple[str, str], recipe: Recipe, parent: QWidget
    ) -> None:
        """Make the dialog; `open` shows it.

        Args:
            queue: Where they are added.
            project: Slug and name of the project that keeps the runs.
            recipe: What they train by.
            parent: The page that asks.
        """
        super().__init__(parent)
        self._queue, self._recipe = queue, recipe
        self._slug, name = project
        self._swept = Swept()
        self.setWindowTitle("Add to the queue")
        self.setModal(True)
        self.name = TextField(name, name="Name of the run")
        self.rows = [SweptRow(n, recipe) for n in range(MOST_SWEPT_OPTIONS)]
        self.time = StartTimeField()
        self.starts = QCheckBox("Start the queue now")
        self._count = label("", tone=Tone.MUTED, wraps=True)
        self.add = button("Add 1 run", ButtonKind.PRIMARY)
        self.add.setDefault(True)
        self.back = button("Cancel")
        self.findings = QVBoxLayout()
        self._lay_out()
        self._connect()
        self._on_edited()
        self.name.setFocus()
        self.name.selectAll()

    def offer_start(self, words: str, *, chosen: bool) -> None:
        """Let the queue be started with it; without words that isn't offered."""
        self.starts.setText(words)
        self.starts.setVisible(bool(words))
        self.starts.setChecked(chosen and bool(words))

    def _lay_out(self) -> None:
        name = label("Name", Role.STRONG)
        name.setBuddy(self.name)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.PAGE, Space.PAGE, Space.PAGE, Space.PAGE)
        column.setSpacing(Space.SMALL)
        # Lines come and go; the dialog is as high as what it holds, and no wider.
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetFixedSize)
        column.addStrut(_WIDTH - 2 * Space.PAGE)
        column.addWidget(label("Add to the queue", Role.CARD_TITLE))
        column.addWidget(name)
        column.addWidget(self.name)
        column.addSpacing(Space.HAIR)
        column.addWidget(label("Sweep", Role.STRONG))
        column.addWidget(label(_SWEEP_WORDS, Role.CAPTION, Tone.MUTED, wraps=True))
        for row in self.rows:
            column.addWidget(row)
        column.addSpacing(Space.HAIR)
        column.addWidget(self.time)
        column.addSpacing(Space.HAIR)
        column.addWidget(self.starts)
        column.addWidget(self._count)
        column.addLayout(self.findings)
        buttons = QHBoxLayout()
        buttons.setSpacing(Space.SMALL)
        buttons.addWidget(self.add)
        buttons.addWidget(self.back)
        buttons.addStretch(1)
        column.addLayout(buttons)

    def _connect(self) -> None:
        self.name.textChanged.connect(self._on_edited)
        for row in self.rows:
            row.row_edited.connect(self._on_edited)
        self.time.time_edited.connect(self._on_edited)
        self.add.clicked.connect(self._on_add)
        self.back.clicked.connect(self.reject)
        self.finished.connect(self.deleteLater)

    def _show_rows(self, errors: Sequence[str]) -> None:
        """A row more than options are chosen, up to three."""
        chosen = [row for row in self.rows if row.swept() is not None]
        for row, error in zip(chosen, errors, strict=True):
            row.show_error(error)
        free = [row for row in self.rows if row.swept() is None]
        for place, row in enumerate(free):
            row.setVisible(place == 0)

    @Slot()
    def _on_edited(self) -> None:
        options = [row.swept() for row in self.rows]
        named = [option for option in options if option is not None]
        self._swept = swept(self._recipe, self.name.text().strip(), named)
        self._show_rows(self._swept.errors)
        made = len(self._swept.runs)
        self.add.setText(f"Add {count(made, 'run')}" if made else "Add")
        self.add.setEnabled(bool(made) and not self.time.error.text())
        words = self._swept.error or self._swept.words
        self._count.setText(words)
        self._count.setVisible(bool(words))
        set_tone(self._count, Tone.DANGER if self._swept.error else Tone.MUTED)

    @Slot()
    def _on_add(self) -> None:
        try:
            self._queue.add(self._slug, self._swept.runs, self.time.time())
        except StudioError as refused:
            show_findings(self.findings, [refused.finding])
            return
        self.accept()
        self.runs_added.emit(len(self._swept.runs), self.starts.isChecked())
