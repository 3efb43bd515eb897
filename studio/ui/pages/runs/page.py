"""The Runs page: all runs of the project; one of them is chosen and acted upon."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from PySide6.QtCore import QTimer, QUrl, Slot
from PySide6.QtGui import (
    QDesktopServices,
    QGuiApplication,
    QHideEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.domain.run import RunSnapshot
from studio.services.library import find_run
from studio.services.resuming import can_resume
from studio.ui.actions import bind_keys
from studio.ui.item_models.cells import Cell
from studio.ui.keys import Deed
from studio.ui.pages.desk import Desk
from studio.ui.pages.errand import Errand
from studio.ui.pages.evaluation.entry import EvaluationEntry
from studio.ui.pages.finding_text import show_findings
from studio.ui.pages.question import Question
from studio.ui.pages.recipe.queue_offer import QueueOffer
from studio.ui.pages.runs.combine_model import why_not_combined
from studio.ui.pages.runs.combine_offer import CombineOffer
from studio.ui.pages.runs.told import (
    ToldRuns,
    delete,
    recipe_path,
    size_of,
    told_runs,
)
from studio.ui.pages.runs.view import TITLE, RunsView
from studio.ui.pages.runs.view_model import (
    READING_RUNS,
    RunFacts,
    RunRow,
    delete_question,
    facts_line,
    run_rows,
)
from studio.ui.pages.runs.waiting import Waiting

_LIVE_MS: Final = 1000


class RunsPage(QWidget):
    """Wires the Runs page.

    Attributes:
        view: The layout.
        waiting: The runs that wait.
        evaluation: A run beside its base.
        offer: Asks what of a run's recipe shall wait.
        combining: Makes one adapter of several runs'.
        question: What is being asked; None while nothing is.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._runs: tuple[RunFacts, ...] = ()
        self._rows: tuple[RunRow, ...] = ()
        self._is_read = False
        self._is_empty = True
        self._refusals: list[Finding] = []
        self._read = Errand(self._told, self)
        self._doomed: Path | None = None
        self._deletion = Errand(self._delete_doomed, self)
        self.question: Question | None = None
        self._live_clock = QTimer(self)
        self._live_clock.setSingleShot(True)
        self._live_clock.setInterval(_LIVE_MS)
        self._live_clock.timeout.connect(self._on_live_due)
        self.waiting = Waiting(desk)
        self.evaluation = EvaluationEntry(desk, self)
        self.view = RunsView(self.waiting, self.evaluation.panel)
        self.offer = QueueOffer(desk, self)
        self.offer.start_refused.connect(self._on_refused)
        self.combining = CombineOffer(desk, self)
        self.combining.was_combined.connect(self._on_combined)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self._connect()
        self._show_runs(ToldRuns((), ()), is_read=False)

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.read_again()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._live_clock.stop()

    @Slot()
    def read_again(self) -> None:
        """Read the runs from disk; the list follows when they are read."""
        if self.isVisible():
            self._read.run()
            self.waiting.read_again()

    def chosen(self) -> RunFacts | None:
        """The run of the current row; None without one."""
        key = self.view.rows.key_at(self.view.table.current_row())
        found = (run for run in self._runs if str(run.snapshot.directory) == key)
        return next(found, None)

    def _connect(self) -> None:
        desk, view = self._desk, self.view
        self._read.errand_done.connect(self._on_read)
        self._read.errand_failed.connect(self._on_read_failed)
        self._deletion.errand_done.connect(self._on_deleted)
        self._deletion.errand_failed.connect(self._on_refused)
        desk.projects.current_changed.connect(self._on_project_changed)
        desk.controller.run_ended.connect(self.read_again)
        desk.controller.snapshot_changed.connect(self._on_live_changed)
        view.to_recipe.clicked.connect(self._on_to_recipe)
        view.export.clicked.connect(self._on_export)
        view.table.activated.connect(self._on_open)
        view.table.selectionModel().currentRowChanged.connect(self._on_row_changed)
        view.open_run.clicked.connect(self._on_open)
        view.evaluate.clicked.connect(self._on_evaluate)
        view.back.clicked.connect(self.evaluation.close)
        self.evaluation.is_open_changed.connect(self._on_face_changed)
        view.go_on.clicked.connect(self._on_go_on)
        view.open_folder.clicked.connect(self._on_open_folder)
        view.copy_recipe.clicked.connect(self._on_copy_recipe)
        view.queue.clicked.connect(self._on_queue)
        view.combine.clicked.connect(self._on_combine)
        view.delete.clicked.connect(self._on_delete)
        bind_keys(self, Deed.COPY_RECIPE, self._on_copy_recipe)
        bind_keys(self, Deed.DELETE_RUN, self._on_delete_key)
        bind_keys(self, Deed.READ_AGAIN, self.read_again)
        bind_keys(self, Deed.EARLIER_START, self.waiting.move_earlier)
        bind_keys(self, Deed.LATER_START, self.waiting.move_later)
        bind_keys(self, Deed.START_TIME, self.waiting.ask_for_time)

    def _told(self) -> ToldRuns:
        """The project's runs; called in a thread."""
        project = self._desk.projects.current
        return told_runs(None if project is None else project.directory)

    def _show_runs(self, told: ToldRuns, *, is_read: bool = True) -> None:
        self._runs = told.runs
        self._is_empty = not told.runs and not told.findings
        self._is_read = is_read
        self.waiting.card.to_recipe.setVisible(not self._is_empty)
        self._show_findings(list(told.findings))
        self._show_rows()
        self._show_face()

    def _show_face(self) -> None:
        """The list, what is said without runs, or the evaluations of one."""
        view, aside = self.view, self.evaluation.is_open
        view.empty.setVisible(self._is_read and self._is_empty and not aside)
        view.filled.setVisible(not self._is_empty and not aside)
        self.waiting.setVisible(not aside)
        view.evaluation.setVisible(aside)
        view.back.setVisible(aside)
        view.header.set_title("Evaluation" if aside else TITLE)
        self._show_facts()
        self._show_deeds()

    def _show_facts(self) -> None:
        facts = facts_line(self._runs) if self._is_read else READING_RUNS
        aside = self.evaluation.facts() if self.evaluation.is_open else ""
        self.view.header.set_facts(aside or facts)

    def _show_rows(self) -> None:
        view, kept = self.view, self.view.rows.key_at(self.view.table.current_row())
        self._rows = run_rows(self._runs, datetime.now().astimezone())
        self._show_facts()
        view.rows.set_rows([(row.key, _cells(row)) for row in self._rows])
        self._choose(kept)
        self._show_deeds()

    def _choose(self, key: str) -> None:
        """Keep the row that was current; else the first one."""
        if not self._rows:
            return
        row = max(0, self.view.rows.row_of(key))
        self.view.table.selectRow(row)

    def _show_findings(self, findings: list[Finding]) -> None:
        show_findings(self.view.findings, [*self._refusals, *findings])

    def _show_deeds(self) -> None:
        view, run = self.view, self.chosen()
        over = run is not None and run.snapshot.state.is_over
        saved = run is not None and run.snapshot.result is not None
        for deed in (view.open_run, view.open_folder, view.copy_recipe):
            deed.setEnabled(run is not None)
        view.queue.setEnabled(run is not None and run.recipe is not None)
        view.delete.setEnabled(over)
        view.go_on.setVisible(run is not None and can_resume(run.snapshot))
        view.go_on.setEnabled(not self._desk.controller.is_running)
        view.evaluate.setEnabled(over and saved)
        why_not = "" if run is None else why_not_combined(run, self._runs)
        view.combine.setEnabled(not why_not)
        view.combine.setToolTip(why_not or "Makes one adapter of its and others’")
        for led in (view.combine, view.export):
            led.setVisible(over and saved and not self.evaluation.is_open)
        going_on = run is not None and not over
        view.note.setText("It is going on; stop it to delete it." if going_on else "")

    def _delete_doomed(self) -> Path | None:
        """Delete the run that was confirmed; called in a thread."""
        if self._doomed is not None:
            delete(self._doomed)
        return self._doomed

    def _ask_to_delete(self, snapshot: RunSnapshot) -> None:
        words = delete_question(snapshot, size_of(snapshot.directory))
        title, _, rest = words.partition("? ")
        self.question = Question(f"{title}?", rest, "Delete run", "Cancel", self)
        self._doomed = snapshot.directory
        self.question.deed_confirmed.connect(self._on_delete_confirmed)
        self.question.finished.connect(self._on_question_finished)
        self.question.open()

    @Slot(object)
    def _on_read(self, told: ToldRuns) -> None:
        self._show_runs(told)

    @Slot(object)
    def _on_read_failed(self, finding: Finding) -> None:
        # Reading again at once would fail again at once.
        self._refusals = [finding]
        self._is_read = True
        self._show_findings([])
        self._show_rows()

    @Slot(object)
    def _on_refused(self, finding: Finding) -> None:
        self._refusals = [finding]
        self._show_findings([])
        self.read_again()

    @Slot(list)
    def _on_combined(self, told: list[Finding]) -> None:
        self._refusals = told
        self._show_findings([])

    @Slot()
    def _on_live_changed(self) -> None:
        if self.isVisible() and not self._live_clock.isActive():
            self._live_clock.start()

    @Slot()
    def _on_live_due(self) -> None:
        """Bring the row of the run that goes on up to date, without the disk."""
        live = self._desk.controller.snapshot
        if live is None or live.directory not in {
            run.snapshot.directory for run in self._runs
        }:
            self.read_again()
            return
        self._runs = tuple(
            replace(run, snapshot=live)
            if run.snapshot.directory == live.directory
            else run
            for run in self._runs
        )
        self._show_rows()

    @Slot(object)
    def _on_deleted(self, directory: Path) -> None:
        if self._desk.chosen_run.directory == directory:
            self._desk.chosen_run.choose(None)
        self.read_again()

    @Slot()
    def _on_project_changed(self) -> None:
        self._refusals = []
        self.evaluation.close()
        self._show_runs(ToldRuns((), ()), is_read=False)
        self.read_again()

    @Slot()
    def _on_row_changed(self) -> None:
        self._show_deeds()

    @Slot()
    def _on_open(self) -> None:
        run = self.chosen()
        if run is not None:
            self._desk.chosen_run.choose(run.snapshot.directory)
            self._desk.go_to("run")

    @Slot()
    def _on_evaluate(self) -> None:
        run = self.chosen()
        if run is not None:
            self.evaluation.look_at(run.snapshot)

    @Slot()
    def _on_face_changed(self) -> None:
        self._show_face()

    @Slot()
    def _on_go_on(self) -> None:
        run = self.chosen()
        if run is None:
            return
        try:
            self._desk.controller.resume(find_run(str(run.snapshot.directory)))
        except StudioError as refused:
            self._on_refused(refused.finding)
            return
        self._desk.chosen_run.choose(run.snapshot.directory)
        self._desk.go_to("run")

    @Slot()
    def _on_export(self) -> None:
        run = self.chosen()
        if run is not None:
            self._desk.chosen_run.choose(run.snapshot.directory)
            self._desk.go_to("export")

    @Slot()
    def _on_open_folder(self) -> None:
        run = self.chosen()
        if run is not None:
            folder = QUrl.fromLocalFile(str(run.snapshot.directory))
            QDesktopServices.openUrl(folder)

    @Slot()
    def _on_copy_recipe(self) -> None:
        run = self.chosen()
        if run is None:
            return
        try:
            path = recipe_path(run.snapshot.directory)
        except StudioError as refused:
            self._on_refused(refused.finding)
            return
        QGuiApplication.clipboard().setText(str(path))
        self.view.note.setText(f"Copied: {Path(path.parent.name) / path.name}")

    @Slot()
    def _on_queue(self) -> None:
        run = self.chosen()
        if run is not None and run.recipe is not None:
            self.offer.ask(run.recipe)

    @Slot()
    def _on_combine(self) -> None:
        if (run := self.chosen()) is not None:
            self.combining.ask(run, self._runs)

    @Slot()
    def _on_delete_key(self) -> None:
        if self.evaluation.is_open:
            return  # its rows aren't runs
        if self.waiting.has_focus:
            self.waiting.ask_to_remove()
        else:
            self._on_delete()

    @Slot()
    def _on_delete(self) -> None:
        run = self.chosen()
        if run is not None and run.snapshot.state.is_over and self.question is None:
            self._ask_to_delete(run.snapshot)

    @Slot()
    def _on_delete_confirmed(self) -> None:
        self._refusals = []
        self._deletion.run()

    @Slot()
    def _on_question_finished(self) -> None:
        self.question = None

    @Slot()
    def _on_to_recipe(self) -> None:
        self._desk.go_to("recipe")


def _cells(row: RunRow) -> list[Cell]:
    return [
        Cell(row.name),
        Cell(row.model),
        Cell(row.mark.words, painted=row.mark),
        Cell(row.held_out),
        Cell(row.steps),
        Cell(row.time),
        Cell(row.when),
    ]
