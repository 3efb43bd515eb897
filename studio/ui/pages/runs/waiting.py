"""The runs that wait, on the Runs page: their order, their times, and their start."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QItemSelectionModel, QTimer, Slot
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.errors import StudioError
from studio.domain.run_queue import Queue, QueuedRun
from studio.ui.icon_names import IconName
from studio.ui.icons import set_icon
from studio.ui.pages.desk import Desk
from studio.ui.pages.errand import Errand
from studio.ui.pages.finding_text import show_findings
from studio.ui.pages.question import Question
from studio.ui.pages.runs.start_time import StartTimeDialog
from studio.ui.pages.runs.told import WaitingReader
from studio.ui.pages.runs.waiting_model import (
    HOLD,
    START,
    TRY_AGAIN,
    Course,
    WaitingFacts,
    course_words,
    named,
    remove_question,
    trouble_words,
    waiting_rows,
)
from studio.ui.pages.runs.waiting_view import WaitingCard

if TYPE_CHECKING:
    from studio.domain.finding import Finding
    from studio.services.queue_driver import QueueDriver

_LOOK_EVERY_MS: Final = 2000
_FEW, _MANY = 3, 8  # rows in a window of 800 px, and in a high one
_HIGH: Final = 960


class Waiting(QWidget):
    """Wires the card of the runs that wait.

    Attributes:
        card: The layout.
        question: What is being asked; None while nothing is.
        times: The dialog that asks for a time; None while it isn't open.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._facts = WaitingFacts()
        self._meant: frozenset[int] = frozenset()
        self._read = Errand(WaitingReader(desk.queue.queue).read, self)
        self.question: Question | None = None
        self.times: StartTimeDialog | None = None
        self.card = WaitingCard()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.card)
        fixed = QSizePolicy.Policy.Fixed
        self.setSizePolicy(QSizePolicy.Policy.Preferred, fixed)
        self._clock = QTimer(self)
        self._clock.setInterval(_LOOK_EVERY_MS)
        self._connect()
        self._show()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.read_again()
        self._clock.start()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._clock.stop()
        self._read.close()  # a reading each other second is likely to be under way

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_rows()

    @property
    def has_focus(self) -> bool:
        """Whether the keys belong to this list."""
        return self.card.table.hasFocus()

    @Slot()
    def read_again(self) -> None:
        """Read the queue from disk; the list follows when it is read."""
        if self.isVisible():
            self._read.run()

    def chosen(self) -> list[QueuedRun]:
        """The selected runs, in their order."""
        keys = self._chosen_keys()
        return [run for run in self._facts.runs if str(run.number) in keys]

    @Slot()
    def move_earlier(self) -> None:
        """Let the chosen run start before the one above it."""
        self._move(-1)

    @Slot()
    def move_later(self) -> None:
        """Let the chosen run start behind the one below it."""
        self._move(1)

    @Slot()
    def ask_to_remove(self) -> None:
        """Ask whether the chosen runs shall be let go."""
        chosen = self.chosen()
        if not chosen or self.question is not None:
            return
        self._meant = frozenset(run.number for run in chosen)
        title, words = remove_question([run.title for run in chosen])
        self.question = Question(title, words, "Take off", "Cancel", self)
        self.question.deed_confirmed.connect(self._on_remove_confirmed)
        self.question.finished.connect(self._on_question_finished)
        self.question.open()

    @Slot()
    def ask_for_time(self) -> None:
        """Ask from when on the chosen runs may start."""
        chosen = self.chosen()
        if not chosen or self.times is not None:
            return
        self._meant = frozenset(run.number for run in chosen)
        title = named([run.title for run in chosen])
        self.times = StartTimeDialog(title, chosen[0].start_at, self)
        self.times.time_chosen.connect(self._on_time_chosen)
        self.times.finished.connect(self._on_times_finished)
        self.times.open()

    def _connect(self) -> None:
        card = self.card
        self._clock.timeout.connect(self.read_again)
        self._read.errand_done.connect(self._on_read)
        self._read.errand_failed.connect(self._on_refused)
        self._desk.queue.course_changed.connect(self._on_course_changed)
        self._desk.controller.run_ended.connect(self._on_course_changed)
        card.drive.clicked.connect(self._on_drive)
        card.to_recipe.clicked.connect(self._on_to_recipe)
        card.earlier.clicked.connect(self.move_earlier)
        card.later.clicked.connect(self.move_later)
        card.start_at.clicked.connect(self.ask_for_time)
        card.remove.clicked.connect(self.ask_to_remove)
        card.table.selectionModel().selectionChanged.connect(self._on_chosen)

    def _show(self) -> None:
        self._show_rows()
        self._show_course()
        self._show_deeds()

    def _show_rows(self) -> None:
        high = self.window().height() >= _HIGH
        kept = self._chosen_keys()
        begun = _course_of(self._desk.queue).begun
        rows = waiting_rows(self._facts, _now(), begun)
        self.card.show_rows(rows, _MANY if high else _FEW)
        self._choose(kept)

    def _chosen_keys(self) -> frozenset[str]:
        rows = self.card.table.selectionModel().selectedRows()
        return frozenset(self.card.rows.key_at(index.row()) for index in rows)

    def _choose(self, keys: frozenset[str]) -> None:
        """Keep the selection where the list was told anew; else the first row."""
        table, model = self.card.table, self.card.rows
        if not self._facts.runs or table.selectionModel().hasSelection():
            return
        found = [place for key in keys if (place := model.row_of(key)) >= 0]
        flags = QItemSelectionModel.SelectionFlag
        for place in found or [0]:
            index = model.index(place, 0)
            table.selectionModel().setCurrentIndex(index, flags.Select | flags.Rows)

    def _show_course(self) -> None:
        driver, card = self._desk.queue, self.card
        card.set_note(course_words(self._facts, _course_of(driver), _now()))
        words = HOLD if driver.is_driving else START
        card.drive.setText(f" {words}")
        card.drive.setAccessibleName(words)
        set_icon(card.drive, IconName.PAUSE if driver.is_driving else IconName.PLAY)
        card.drive.setVisible(bool(self._facts.runs) or driver.is_driving)
        card.drive.setEnabled(driver.is_driving or not self._facts.is_driven_elsewhere)

    def _show_deeds(self) -> None:
        card, chosen = self.card, self.chosen()
        one = chosen[0] if len(chosen) == 1 else None
        place = self._facts.runs.index(one) if one is not None else 0
        card.earlier.setEnabled(one is not None and place > 0)
        card.later.setEnabled(one is not None and place < len(self._facts.runs) - 1)
        card.start_at.setEnabled(bool(chosen))
        card.remove.setEnabled(bool(chosen))
        trouble = "" if one is None else trouble_words(one)
        card.trouble.setText(f"{trouble} {TRY_AGAIN}")
        card.trouble.setVisible(bool(trouble))

    def _move(self, by: int) -> None:
        chosen = self.chosen()
        if len(chosen) != 1:
            return
        number = chosen[0].number
        place = self._facts.runs.index(chosen[0]) + 1 + by
        if 1 <= place <= len(self._facts.runs):
            self._change(lambda queue: queue.moved(number, place))

    def _change(self, change: Callable[[Queue], Queue]) -> None:
        try:
            told = self._desk.queue.change(change)
        except StudioError as refused:
            self._on_refused(refused.finding)
            self.read_again()
            return
        show_findings(self.card.findings, [])
        self._facts = replace(self._facts, runs=told.runs)
        self._show()

    @Slot(object)
    def _on_read(self, facts: WaitingFacts) -> None:
        show_findings(self.card.findings, [])
        elsewhere = facts.is_driven_elsewhere and not self._desk.queue.is_driving
        was_changed = facts.runs != self._facts.runs
        self._facts = replace(facts, is_driven_elsewhere=elsewhere)
        self._show()
        if was_changed:  # perhaps by a terminal, which tells nobody here
            self._desk.queue.tell_changed()

    @Slot(object)
    def _on_refused(self, finding: "Finding") -> None:
        show_findings(self.card.findings, [finding])

    @Slot()
    def _on_course_changed(self) -> None:
        self._show()
        self.read_again()

    @Slot()
    def _on_chosen(self) -> None:
        self._show_deeds()

    @Slot()
    def _on_drive(self) -> None:
        driver = self._desk.queue
        if driver.is_driving:
            driver.hold()
            return
        try:
            driver.drive()
        except StudioError as refused:
            self._on_refused(refused.finding)

    @Slot()
    def _on_to_recipe(self) -> None:
        self._desk.go_to("recipe")

    @Slot()
    def _on_remove_confirmed(self) -> None:
        self._change_meant(lambda queue, number: queue.removed(number))

    @Slot(object)
    def _on_time_chosen(self, moment: datetime | None) -> None:
        self._change_meant(lambda queue, number: queue.timed(number, moment))

    def _change_meant(self, change: Callable[[Queue, int], Queue]) -> None:
        """Change what was asked about, as far as it still waits."""
        meant = self._meant

        def changed(queue: Queue) -> Queue:
            for run in queue.runs:
                if run.number in meant:
                    queue = change(queue, run.number)
            return queue

        self._change(changed)

    @Slot()
    def _on_question_finished(self) -> None:
        self.question = None

    @Slot()
    def _on_times_finished(self) -> None:
        self.times = None


def _course_of(driver: "QueueDriver") -> Course:
    begun = driver.begun.number if driver.begun else None
    match driver.waits_for:
        case datetime() | None as moment:
            return Course(driver.is_driving, moment, begun)
        case run:
            return Course(driver.is_driving, run.name, begun)


def _now() -> datetime:
    return datetime.now().astimezone()
