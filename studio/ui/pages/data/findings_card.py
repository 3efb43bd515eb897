"""The card of findings: each can be chosen to see its rows; F8 goes on to the next."""

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QWidget
from typing_extensions import override

from studio.ui.pages.data.findings import ShownFinding, findings_note
from studio.ui.pages.scroll_column import ScrollColumn
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.card import Card
from studio.ui.widgets.finding_card import FindingCard
from studio.ui.widgets.labels import Role, label, line, set_look

if TYPE_CHECKING:
    from studio.ui.pages.project_data import ProjectData

_ALL_WELL = "Nothing is wrong with these rows."
_READ_WELL = "Every row can be trained on."
_CHECKING = "What is found is listed here once every row was looked at."
_UNCHECKED = "The rows were not checked to the end, so there may be more to find."
_BAR_WIDTH = 96


class CheckState(Enum):
    """How far a file is checked."""

    CHECKED = auto()
    CHECKING = auto()
    STOPPED = auto()
    ONLY_READ = auto()


def check_state(data: "ProjectData") -> CheckState:
    """How far the project's data is checked."""
    if data.report is not None:
        return CheckState.CHECKED
    if data.is_checking:
        return CheckState.CHECKING
    return CheckState.STOPPED if data.is_stopped else CheckState.ONLY_READ


_NONE_MEANS: Final = {
    CheckState.CHECKED: _ALL_WELL,
    CheckState.CHECKING: _CHECKING,
    CheckState.STOPPED: _READ_WELL,
    CheckState.ONLY_READ: _READ_WELL,
}


_EARLY_NOTES: Final = {CheckState.CHECKING: "", CheckState.STOPPED: "not checked"}


class FindingRow(FindingCard):
    """A finding that can be chosen by click or Enter.

    Attributes:
        shown: What it tells.

    Signals:
        chosen: It was chosen.
    """

    chosen = Signal()

    def __init__(self, shown: ShownFinding, parent: QWidget | None = None) -> None:
        super().__init__(shown.text, parent=parent)
        self.shown = shown
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        layout = self.layout()
        assert layout is not None  # the card has laid itself out
        layout.setContentsMargins(Space.LARGE, Space.SMALL, Space.LARGE, Space.SMALL)
        if shown.rows:
            self.setCursor(Qt.CursorShape.PointingHandCursor)
            told, them = ("Row", "it") if len(shown.rows) == 1 else ("Rows", "them")
            self.setToolTip(f"{told} {shown.spoken}. A click shows {them}.")

    def set_current(self, *, current: bool) -> None:
        """Look like the one whose rows are shown, or like the others."""
        set_look(self, "current", current)

    @override
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        if event.button() is Qt.MouseButton.LeftButton:
            self.chosen.emit()

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space}:
            self.chosen.emit()
        else:
            super().keyPressEvent(event)


class FindingsCard(Card):
    """All findings, and how the check of the whole file stands.

    Attributes:
        stop: Ends the check.
        check: Begins it anew, after it was stopped.

    Signals:
        fix_chosen: The key of a fix.
        finding_chosen: The `ShownFinding` whose rows are wanted.
    """

    fix_chosen = Signal(str)
    finding_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__("Findings", " ", divided=True, flush=True)
        self._shown: tuple[ShownFinding, ...] | None = None
        self._state = CheckState.CHECKED
        self._rows: list[FindingRow] = []
        self._current = -1
        self._checking = label("", Role.CAPTION, Tone.MUTED)
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedWidth(_BAR_WIDTH)
        self._bar.setAccessibleName("Rows checked")
        self.stop = button("Stop", ButtonKind.FLAT)
        self.stop.setAccessibleName("Stop")
        self._progress = QWidget()
        row = QHBoxLayout(self._progress)
        row.setContentsMargins(Space.LARGE, Space.HAIR, Space.LARGE, Space.HAIR)
        row.setSpacing(Space.SMALL)
        row.addWidget(self._checking, 1)
        row.addWidget(self._bar)
        row.addWidget(self.stop)
        self._progress.hide()
        self._unchecked = QWidget()
        self.check = button("Check them")
        unchecked = QHBoxLayout(self._unchecked)
        unchecked.setContentsMargins(Space.LARGE, Space.SMALL, Space.LARGE, Space.SMALL)
        unchecked.setSpacing(Space.SMALL)
        words = label(_UNCHECKED, Role.CAPTION, Tone.MUTED, wraps=True)
        unchecked.addWidget(words, 1)
        unchecked.addWidget(self.check)
        self._unchecked.hide()
        self._none = label(_ALL_WELL, tone=Tone.MUTED, wraps=True)
        self._none.setContentsMargins(Space.LARGE, Space.MEDIUM, Space.LARGE, 0)
        self._column = ScrollColumn("Findings")
        self.body.setSpacing(0)
        self.body.addWidget(self._progress)
        self.body.addWidget(self._unchecked)
        self.body.addWidget(self._none)
        self.body.addWidget(self._column, 1)

    def show_findings(
        self, shown: Sequence[ShownFinding], state: CheckState = CheckState.CHECKED
    ) -> None:
        """Show findings in place of those that were.

        Args:
            shown: In the order in which they stand.
            state: How far the file is checked, which decides what none of them means.
        """
        self._none.setText(_NONE_MEANS[state])
        self._unchecked.setVisible(state is CheckState.STOPPED)
        if (self._shown, self._state) == (tuple(shown), state):
            return
        self._shown, self._state = tuple(shown), state
        self._current = -1
        self._rows = [FindingRow(each) for each in shown]
        for row in self._rows:
            row.fix_chosen.connect(self.fix_chosen)
            row.chosen.connect(self._on_chosen)
        parted = [part for row in self._rows for part in (row, line())]
        self._column.set_rows(parted)
        self._none.setVisible(not shown)
        early = not shown and state in _EARLY_NOTES
        self.set_note(_EARLY_NOTES[state] if early else findings_note(shown))

    def show_progress(
        self, words: str, done: int = 0, of: int = 0, *, can_stop: bool = True
    ) -> None:
        """Tell how far a check or a mend is; it is over when there are no words."""
        self.stop.setVisible(can_stop)
        self._progress.setVisible(bool(words))
        self._checking.setText(words)
        self._bar.setRange(0, of)
        self._bar.setValue(done)

    def rows(self) -> list[FindingRow]:
        """The findings' rows, top to bottom."""
        return list(self._rows)

    def go(self, step: int) -> None:
        """Choose the next finding, or the one before; round and round."""
        if not self._rows:
            return
        place = self._current + step
        if self._current < 0:
            place = 0 if step > 0 else -1
        self._choose(place % len(self._rows))
        self._rows[self._current].setFocus(Qt.FocusReason.ShortcutFocusReason)

    def forget_choice(self) -> None:
        """No finding's rows are shown any more."""
        self._current = -1
        for row in self._rows:
            row.set_current(current=False)

    def _on_chosen(self) -> None:
        sender = self.sender()
        if isinstance(sender, FindingRow) and sender in self._rows:
            self._choose(self._rows.index(sender))

    def _choose(self, place: int) -> None:
        self._current = place
        for number, row in enumerate(self._rows):
            row.set_current(current=number == place)
        self._column.ensureWidgetVisible(self._rows[place], 0, 0)
        self.finding_chosen.emit(self._rows[place].shown)
