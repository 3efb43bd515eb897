"""The Export page: what came of a run, handed on, proven and asked."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Slot
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFileDialog, QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.services.engine_task import EngineTask
from studio.services.exporters import FormOffer
from studio.ui.actions import bind_keys
from studio.ui.keys import Deed
from studio.ui.pages.desk import Desk
from studio.ui.pages.engine_job import TaskFor
from studio.ui.pages.errand import Errand
from studio.ui.pages.export.artefacts import certificates
from studio.ui.pages.export.deed import ExportDeed, OpenFolder, open_in_files
from studio.ui.pages.export.jobs import Asking, ExportWish, Side
from studio.ui.pages.export.parts import AnswerPanel
from studio.ui.pages.export.proof_card import ANSWERS, CERTIFICATE
from studio.ui.pages.export.push_dialog import PushDialog
from studio.ui.pages.export.told import (
    Offers,
    Results,
    copy_of_result,
    read_offers,
    read_results,
    target_of,
)
from studio.ui.pages.export.view import ExportPageView
from studio.ui.pages.export.view_model import (
    ExportInputs,
    ExportView,
    MergedFormat,
    export_view,
)
from studio.ui.pages.finding_text import show_findings
from studio.ui.pages.run.view_model import READING_RUN


class ExportPage(QWidget):
    """Wires the Export page.

    Attributes:
        view: The layout.
        deed: Exports, with the questions on the way.
        asking: Asks both models.
    """

    def __init__(
        self,
        desk: Desk,
        parent: QWidget | None = None,
        *,
        task_for: TaskFor = EngineTask,
        opens: OpenFolder = open_in_files,
    ) -> None:
        super().__init__(parent)
        self._desk, self._task_for = desk, task_for
        self._results, self._offers = Results(), Offers()
        self._model: ModelArchitecture | None = None
        self._parent_of_exports: Path | None = None
        self._is_export_new = False
        self._copy_parent: Path | None = None
        self._read = Errand(self._read_results, self)
        self._look = Errand(self._read_offers, self)
        self._copy = Errand(self._make_copy, self)
        self.deed = ExportDeed(self, task_for, opens)
        self.asking = Asking(task_for, self)
        self.view = ExportPageView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self._connect_services()
        self._connect_view()
        self._show(is_read=False)

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.read_again()

    @Slot()
    def read_again(self) -> None:
        """Read the results from disk; the page follows when they are read."""
        if self.isVisible():
            self._read.run()

    def target(self) -> Path | None:
        """The folder that the next export writes; None without a run."""
        run = self._results.run
        return None if run is None else target_of(run, self._parent_of_exports)

    def _connect_services(self) -> None:
        desk = self._desk
        self._read.errand_done.connect(self._on_read)
        self._read.errand_failed.connect(self._on_failed)
        self._look.errand_done.connect(self._on_looked)
        self._look.errand_failed.connect(self._on_failed)
        self._copy.errand_done.connect(self._on_copied)
        self._copy.errand_failed.connect(self._on_failed)
        self.deed.export_went_on.connect(self._on_export_went_on)
        self.deed.export_ended.connect(self._on_export_ended)
        self.deed.export_failed.connect(self._on_failed)
        self.asking.side_went_on.connect(self._on_side_went_on)
        self.asking.side_answered.connect(self._on_side_answered)
        self.asking.asking_failed.connect(self._on_failed)
        self.asking.asking_ended.connect(self._on_asking_ended)
        desk.projects.current_changed.connect(self._on_project_changed)
        desk.chosen_run.run_chosen.connect(self.read_again)
        desk.controller.run_ended.connect(self.read_again)

    def _connect_view(self) -> None:
        view = self.view
        view.runs.activated.connect(self._on_run_chosen)
        view.open_run_folder.clicked.connect(self._on_open_run_folder)
        view.to_recipe.clicked.connect(self._on_to_recipe)
        view.to_runs.clicked.connect(self._on_to_runs)
        made = view.made
        made.save_copy.clicked.connect(self._on_save_copy)
        made.number_format.currentIndexChanged.connect(self._on_choice_changed)
        for box in (made.adapter, made.merged, made.as_trained):
            box.toggled.connect(self._on_choice_changed)
        made.forms.choice_changed.connect(self._on_choice_changed)
        made.change_folder.clicked.connect(self._on_change_folder)
        made.export.clicked.connect(self._on_export)
        made.cancel.clicked.connect(self.deed.exporting.job.cancel)
        made.open_folder.clicked.connect(self._on_open_exported)
        made.push.clicked.connect(self._on_push)
        view.proof.certificate.report_wanted.connect(self._on_open_report)
        view.trial.prompt.returnPressed.connect(self._on_ask)
        view.trial.ask.clicked.connect(self._on_ask)
        view.trial.cancel.clicked.connect(self.asking.job.cancel)
        bind_keys(self, Deed.ASK, self._on_ask)
        bind_keys(self, Deed.EXPORT, self._on_export)

    def _read_results(self) -> Results:
        """What lies on disk; called in a thread."""
        project = self._desk.projects.current
        directory = None if project is None else project.directory
        chosen = self._desk.chosen_run.directory
        return read_results(directory, chosen, self._parent_of_exports)

    def _read_offers(self) -> Offers:
        """Look at exporters; called in a thread, for checks read models' files."""
        return read_offers(self._results, self._desk.models)

    def _make_copy(self) -> Path | None:
        """Copy the result; called in a thread."""
        run, parent = self._results.run, self._copy_parent
        if run is None or parent is None:
            return None
        return copy_of_result(run.directory, parent)

    def _inputs(self) -> ExportInputs:
        results = self._results
        return ExportInputs(
            run=results.run,
            recipe=results.recipe,
            model=self._model,
            result_bytes=results.result_bytes,
            merged_format=MergedFormat(self.view.made.number_format.value()),
            as_trained=self.view.made.is_as_trained,
            kinds=self.view.made.kinds(),
            target=self.target(),
            exported=results.exported,
            offers=self._offers_of_run(),
            disk_free_bytes=results.disk_free_bytes,
            is_training=self._desk.controller.is_running,
            is_busy=self.deed.is_running or self.asking.job.is_running,
        )

    def _offers_of_run(self) -> tuple[FormOffer, ...]:
        run = self._results.run
        is_its_own = run is not None and run.directory == self._offers.run
        return self._offers.forms if is_its_own else ()

    def _show(self, *, is_read: bool = True) -> None:
        view, shown = self.view, export_view(self._inputs())
        view.empty.setVisible(is_read and shown is None)
        view.filled.setVisible(shown is not None)
        view.runs.setVisible(len(self._results.runs) > 1)
        view.open_run_folder.setVisible(shown is not None)
        nothing = "" if is_read else READING_RUN
        view.header.set_facts(nothing if shown is None else shown.facts)
        if shown is not None:
            self._show_result(shown)

    def _show_result(self, shown: ExportView) -> None:
        view = self.view
        view.made.show_parts(shown)
        view.proof.show_certificates(shown.certificates)
        view.proof.answers.show_measured(shown.measured)
        view.proof.answers.show_prompts(shown.samples)
        view.trial.show_state(shown.ask_refused, asking=self.asking.job.is_running)

    def _turn_proof(self) -> None:
        """Show the certificate where there is one, else what the run answers."""
        exported = self._results.exported
        self.view.proof.turn_to(CERTIFICATE if certificates(exported) else ANSWERS)

    def _show_runs(self) -> None:
        runs, shown = self._results.runs, self._results.run
        choices = [(str(run.directory), run.name) for run in runs]
        self.view.runs.set_choices(choices)
        if shown is not None:
            self.view.runs.set_value(str(shown.directory))

    def _look_up_model(self) -> ModelArchitecture | None:
        recipe = self._results.recipe
        if recipe is None:
            return None
        try:
            place = self._desk.models.look_up(recipe.model.name)
        except StudioError:
            return None  # merging will say where the model should be
        return self._desk.models.architecture_of(place)

    def _forget_answers(self) -> None:
        self.view.trial.base.show_answer("")
        self.view.trial.tuned.show_answer("")
        self.view.made.show_copy("")

    def _ask_for_folder(self, title: str, chosen: Callable[[str], None]) -> None:
        dialog = QFileDialog(self, title)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(chosen)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot(object)
    def _on_read(self, results: Results) -> None:
        before, self._results = self._results.run, results
        run = results.run
        is_other = before is None or run is None or before.directory != run.directory
        if is_other:
            self._forget_answers()
        if is_other or self._is_export_new:
            self._turn_proof()
            self._is_export_new = False
        self._model = self._look_up_model()
        self._show_runs()
        self._show()
        self._look.run()

    @Slot(object)
    def _on_looked(self, offers: Offers) -> None:
        self._offers = offers
        self._show()

    @Slot(object)
    def _on_failed(self, finding: Finding) -> None:
        show_findings(self.view.findings, [finding])
        self._show()

    @Slot(object)
    def _on_copied(self, copy: Path | None) -> None:
        if copy is not None:
            self.view.made.show_copy(str(copy))

    @Slot(str, float)
    def _on_export_went_on(self, words: str, share: float) -> None:
        self.view.made.show_progress(words, share)
        if share < 0:  # another stage; the first one takes the engine
            self._show()

    @Slot()
    def _on_export_ended(self) -> None:
        self.view.made.show_progress(None)
        self._is_export_new = True
        self._show()
        self.read_again()

    @Slot(str, str)
    def _on_side_went_on(self, side: str, words: str) -> None:
        self._panel(side).show_answer("", words)

    @Slot(str, str)
    def _on_side_answered(self, side: str, text: str) -> None:
        words = len(text.split())
        noun = "word" if words == 1 else "words"
        self._panel(side).show_answer(text or "(an empty answer)", f"{words} {noun}")

    @Slot()
    def _on_asking_ended(self) -> None:
        for panel in (self.view.trial.base, self.view.trial.tuned):
            if not panel.text.toPlainText():
                panel.show_answer("", "Not answered")
        self._show()

    @Slot()
    def _on_project_changed(self) -> None:
        self._results = Results()
        self._parent_of_exports = None
        self._forget_answers()
        show_findings(self.view.findings, [])
        self._show(is_read=False)
        self.read_again()

    @Slot()
    def _on_run_chosen(self) -> None:
        self._desk.chosen_run.choose(Path(self.view.runs.value()))

    @Slot()
    def _on_choice_changed(self) -> None:
        self._show()

    @Slot()
    def _on_save_copy(self) -> None:
        self._ask_for_folder("Save a copy of the result in", self._on_copy_folder)

    @Slot(str)
    def _on_copy_folder(self, folder: str) -> None:
        show_findings(self.view.findings, [])
        self._copy_parent = Path(folder)
        self._copy.run()

    @Slot()
    def _on_change_folder(self) -> None:
        self._ask_for_folder("Export into", self._on_export_folder)

    @Slot(str)
    def _on_export_folder(self, folder: str) -> None:
        self._parent_of_exports = Path(folder)
        self._show()
        self.read_again()

    @Slot()
    def _on_export(self) -> None:
        run, target, made = self._results.run, self.target(), self.view.made
        if run is None or target is None or not made.export.isEnabled():
            return
        show_findings(self.view.findings, [])
        wish = ExportWish(
            run=run.directory,
            target=target,
            kinds=made.kinds(),
            number_format=made.number_format.value(),
            as_trained=made.is_as_trained,
        )
        self.deed.begin(wish)
        self._show()

    @Slot()
    def _on_ask(self) -> None:
        run, trial = self._results.run, self.view.trial
        prompt = trial.prompt.text().strip()
        if run is None or not trial.ask.isEnabled() or self.asking.job.is_running:
            return
        if not prompt:
            trial.prompt.setFocus()
            return
        show_findings(self.view.findings, [])
        trial.base.show_answer("")
        trial.tuned.show_answer("")
        self.asking.ask(run.directory, prompt)
        self._show()

    @Slot()
    def _on_open_run_folder(self) -> None:
        if self._results.run is not None:
            self.deed.open_folder(self._results.run.directory)

    @Slot()
    def _on_open_exported(self) -> None:
        if self._results.exported is not None:
            self.deed.open_folder(self._results.exported.folder)

    @Slot()
    def _on_push(self) -> None:
        if self._results.exported is not None:
            log = self._desk.folders.cache / "push-log.txt"
            dialog = PushDialog(
                self._results.exported.folder, log, self, self._task_for
            )
            dialog.open()

    @Slot(object)
    def _on_open_report(self, page: Path) -> None:
        self.deed.open_folder(page)

    @Slot()
    def _on_to_recipe(self) -> None:
        self._desk.go_to("recipe")

    @Slot()
    def _on_to_runs(self) -> None:
        self._desk.go_to("runs")

    def _panel(self, side: str) -> AnswerPanel:
        trial = self.view.trial
        return trial.base if side == Side.BASE else trial.tuned
