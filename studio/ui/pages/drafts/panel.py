"""Making and reviewing drafts, one beside the other; the Data page shows it."""

import os
from pathlib import Path
from typing import Final

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.protocol.data_events import DraftsMade
from studio.services.draft_review import DraftReview, Review
from studio.services.drafting import DOCUMENT_SUFFIXES, usual_model
from studio.services.engine_task import EngineTask
from studio.ui.pages.desk import Desk
from studio.ui.pages.drafts.making import Making
from studio.ui.pages.drafts.making_form import MakingForm
from studio.ui.pages.drafts.review_panel import ReviewPanel
from studio.ui.pages.drafts.view_model import (
    made_words,
    maker_choices,
    review_button,
    stopped_words,
)
from studio.ui.pages.engine_job import TaskFor

_FILTER: Final = f"Documents ({' '.join(f'*{suffix}' for suffix in DOCUMENT_SUFFIXES)})"
_IS_TRAINING: Final = "A run is training, and a model here would take its memory."


class DraftsPanel(QWidget):
    """Examples from documents, from choosing them to the last decision.

    Attributes:
        form: Makes drafts.
        review: Goes through them.
        making: The engine's part of it.

    Signals:
        left: Nothing more is to be done here.
        use_chosen(str): A file of drafts shall be the project's data.
    """

    left = Signal()
    use_chosen = Signal(str)

    def __init__(self, desk: Desk, task_for: TaskFor = EngineTask) -> None:
        super().__init__()
        self._desk = desk
        self.form = MakingForm()
        self.review = ReviewPanel()
        self.making = Making(task_for, desk.folders.cache / "drafts-log.txt", self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.form)
        layout.addWidget(self.review)
        self.review.hide()
        self._connect()

    def begin(self) -> None:
        """Ask from which documents, by whom and into which file."""
        project = self._desk.projects.current
        if not self.form.out.text() and project is not None:
            self.form.out.setText(str(project.directory / "data" / "drafts.jsonl"))
        self.form.set_makers(maker_choices(self._desk.models.entries()), usual_model())
        self._show_form()
        self.form.add_files.setFocus()

    def begin_review(self, path: str) -> None:
        """Go through the drafts of a file."""
        try:
            review = DraftReview(Path(path))
        except StudioError as refused:
            self.form.out.setText(path)
            self.begin()
            self.form.show_result("", refused.finding)
            return
        self.form.out.setText(path)
        self.form.hide()
        self.review.show()
        self.review.begin(review)

    def _connect(self) -> None:
        form, making = self.form, self.making
        form.add_files.clicked.connect(self._on_add_files)
        form.add_folder.clicked.connect(self._on_add_folder)
        form.choose_out.clicked.connect(self._on_choose_out)
        form.order_changed.connect(self._on_order_changed)
        form.make.clicked.connect(self._on_make)
        form.stop.clicked.connect(making.job.cancel)
        form.back.clicked.connect(self.left)
        form.review.clicked.connect(self._on_review)
        form.use.clicked.connect(self._on_use)
        making.making_went_on.connect(form.show_way)
        making.making_done.connect(self._on_making_done)
        making.making_stopped.connect(self._on_making_stopped)
        making.making_failed.connect(self._on_making_failed)
        self.review.left.connect(self._on_review_left)
        self.review.use_chosen.connect(self.use_chosen)

    def _show_form(self) -> None:
        self.review.hide()
        self.form.show()
        self._allow()
        self._offer()

    def _allow(self) -> None:
        order = self.form.order()
        refused = order.refusal()
        if not refused and order.model and self._desk.controller.is_running:
            refused = _IS_TRAINING
        self.form.allow(refused, is_making=self.making.job.is_running)

    def _offer(self) -> None:
        """Offer the review of drafts that lie in the file."""
        path = self.form.out.text().strip()
        try:
            counts = DraftReview(Path(path)).counts() if path else {}
        except StudioError:
            counts = {}
        is_idle = bool(counts) and not self.making.job.is_running
        words = review_button(counts[Review.OPEN]) if is_idle else ""
        usable = is_idle and sum(counts.values()) > counts[Review.REJECTED]
        is_next = is_idle and bool(counts[Review.OPEN])
        self.form.offer(words, can_use=usable, is_next=is_next)

    @Slot()
    def _on_order_changed(self) -> None:
        self._allow()

    @Slot()
    def _on_add_files(self) -> None:
        dialog = QFileDialog(self, "Choose documents", "", _FILTER)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        dialog.filesSelected.connect(self.form.add_documents)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot()
    def _on_add_folder(self) -> None:
        dialog = QFileDialog(self, "Choose a folder of documents")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.filesSelected.connect(self.form.add_documents)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot()
    def _on_choose_out(self) -> None:
        folder = os.path.dirname(self.form.out.text())  # noqa: PTH120 - may be empty
        dialog = QFileDialog(self, "Choose a file for drafts", folder)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)  # it is added to
        dialog.setDefaultSuffix("jsonl")
        dialog.fileSelected.connect(self._on_out_chosen)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot(str)
    def _on_out_chosen(self, path: str) -> None:
        self.form.out.setText(path)
        self._offer()

    @Slot()
    def _on_make(self) -> None:
        if self.making.job.is_running:
            return
        self.form.show_result("")
        self.form.show_way("Starting", -1.0)
        self.making.make(self.form.order())
        self._show_form()

    @Slot(object)
    def _on_making_done(self, made: DraftsMade) -> None:
        self.form.show_result(made_words(made))
        self._end_making()

    @Slot()
    def _on_making_stopped(self) -> None:
        self.form.show_result(stopped_words(self.form.out.text()))
        self._end_making()

    @Slot(object)
    def _on_making_failed(self, finding: Finding) -> None:
        self.form.show_result("", finding)
        self._end_making()

    def _end_making(self) -> None:
        self._allow()
        self._offer()

    @Slot()
    def _on_review(self) -> None:
        self.begin_review(self.form.out.text().strip())

    @Slot()
    def _on_review_left(self) -> None:
        self.left.emit()

    @Slot()
    def _on_use(self) -> None:
        self.use_chosen.emit(self.form.out.text().strip())
