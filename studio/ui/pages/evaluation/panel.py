"""A run's evaluations: what to measure with, the figures, the answers."""

from datetime import datetime
from pathlib import Path
from typing import Final

from PySide6.QtCore import QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from studio.domain.finding import Finding
from studio.domain.run import RunSnapshot
from studio.protocol.evaluation_events import Evaluated
from studio.services.engine_task import EngineTask
from studio.services.evaluations import Kept, evaluations_of
from studio.ui.icon_names import IconName
from studio.ui.pages.desk import Desk
from studio.ui.pages.empty_page import TOP_LEFT, empty_page
from studio.ui.pages.engine_job import TaskFor
from studio.ui.pages.errand import Errand
from studio.ui.pages.evaluation.form import EvaluationForm
from studio.ui.pages.evaluation.measuring import Measuring
from studio.ui.pages.evaluation.results import AnswersCard, FiguresCard
from studio.ui.pages.evaluation.view_model import (
    NOT_YET,
    EvaluationOrder,
    done_words,
    kept_choices,
)
from studio.ui.tokens import Space
from studio.ui.widgets.page import TwoColumns

_SIDE_WIDTH: Final = 312
_IS_TRAINING: Final = "Training is running; one model is in memory at a time."
_STOPPED: Final = "Stopped; nothing was kept."


class EvaluationPanel(QWidget):
    """Evaluates a run, and shows what was found.

    Attributes:
        form: What is to be measured.
        empty: Shown before the first evaluation.
        figures, answers: What was found.
        measuring: The engine's part of it.
    """

    def __init__(self, desk: Desk, task_for: TaskFor = EngineTask) -> None:
        super().__init__()
        self._desk = desk
        self._run: RunSnapshot | None = None
        self._kept: tuple[Kept, ...] = ()
        self._wanted = ""
        self.form = EvaluationForm()
        self.figures = FiguresCard()
        self.answers = AnswersCard()
        self.measuring = Measuring(task_for, self)
        self._read = Errand(self._evaluations, self)
        columns = TwoColumns(side_width=_SIDE_WIDTH, side_is_left=True)
        columns.left.addWidget(self.form)
        self.empty = empty_page(IconName.BARS, *NOT_YET)
        columns.right.addWidget(self.empty, 0, TOP_LEFT)
        columns.right.addWidget(self.figures)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(Space.LARGE)
        layout.addWidget(columns, 0)
        layout.addWidget(self.answers, 1)
        layout.addStretch(0)
        self._connect()

    @property
    def run(self) -> RunSnapshot | None:
        """The run that is looked at; None before the first."""
        return self._run

    def begin(self, run: RunSnapshot) -> None:
        """Look at a run; one that is being measured goes on being so."""
        if self._run is None or run.directory != self._run.directory:
            self._show_kept(())
        self._run = run
        self._wanted = ""
        if not self.measuring.job.is_running:
            self.form.show_result("")
        self._allow()
        self._read.run()
        self.form.data.setFocus()

    def _connect(self) -> None:
        form, measuring = self.form, self.measuring
        form.choose.clicked.connect(self._on_choose)
        form.evaluate.clicked.connect(self._on_evaluate)
        form.stop.clicked.connect(measuring.job.cancel)
        measuring.measuring_went_on.connect(form.show_way)
        measuring.measuring_done.connect(self._on_done)
        measuring.measuring_stopped.connect(self._on_stopped)
        measuring.measuring_failed.connect(self._on_failed)
        self._read.errand_done.connect(self._on_read)
        self._read.errand_failed.connect(self._on_failed)
        self.figures.kept.activated.connect(self._on_kept_chosen)
        self.figures.open_page.clicked.connect(self._on_open_page)
        self._desk.controller.snapshot_changed.connect(self._on_controller_changed)
        self._desk.controller.run_ended.connect(self._on_controller_changed)

    def _evaluations(self) -> tuple[Path, tuple[Kept, ...]] | None:
        """Those of the run, with its folder; called in a thread."""
        run = self._run
        if run is None:
            return None
        return run.directory, tuple(evaluations_of(run.directory))

    def _allow(self) -> None:
        refused = _IS_TRAINING if self._desk.controller.is_running else ""
        self.form.allow(refused, is_measuring=self.measuring.job.is_running)

    def _show_kept(self, kept: tuple[Kept, ...]) -> None:
        self._kept = kept
        self.empty.setVisible(not kept)
        self.figures.setVisible(bool(kept))
        self.answers.setVisible(bool(kept))
        now = datetime.now().astimezone()
        self.figures.kept.set_choices(kept_choices(kept, now))
        if kept:
            self.figures.kept.set_value(self._wanted)
            self._show_chosen()

    def _chosen(self) -> Kept | None:
        path = self.figures.kept.value()
        return next((each for each in self._kept if str(each.path) == path), None)

    def _show_chosen(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            self.figures.show_evaluation(chosen.evaluation)
            self.answers.show_evaluation(chosen.evaluation)
            self.form.show_result(done_words(chosen))

    @Slot(object)
    def _on_read(self, found: tuple[Path, tuple[Kept, ...]] | None) -> None:
        if found is not None and self._run and found[0] == self._run.directory:
            self._show_kept(found[1])

    @Slot()
    def _on_kept_chosen(self) -> None:
        self._show_chosen()

    @Slot()
    def _on_open_page(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(chosen.page)))

    @Slot()
    def _on_choose(self) -> None:
        dialog = QFileDialog(self, "Choose rows to measure with")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(self.form.data.setText)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot()
    def _on_evaluate(self) -> None:
        if self._run is None or self.measuring.job.is_running:
            return
        form = self.form
        form.show_result("")
        form.show_way("Starting", -1.0)
        self.measuring.measure(
            EvaluationOrder(
                run=self._run.directory,
                data=form.data.text(),
                rows=form.rows.value(),
                max_new_tokens=form.most_tokens.value(),
                lowercase=form.lowercase.isChecked(),
            )
        )
        self._allow()

    @Slot(object)
    def _on_done(self, event: Evaluated) -> None:
        self._wanted = event.report
        self._allow()
        self._read.run()

    @Slot()
    def _on_stopped(self) -> None:
        self.form.show_result(_STOPPED)
        self._allow()

    @Slot(object)
    def _on_failed(self, finding: Finding) -> None:
        self.form.show_result("", finding)
        self._allow()

    @Slot()
    def _on_controller_changed(self) -> None:
        if self.isVisible():
            self._allow()
