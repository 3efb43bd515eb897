"""The one click: a run becomes a folder to hand on, with the questions on the way."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.protocol.export_events import Artefact, Exported
from studio.services.exports import publish_aside, would_replace
from studio.ui.pages.export.engine_job import TaskFor
from studio.ui.pages.export.jobs import Exporting
from studio.ui.pages.question import Question

OpenFolder = Callable[[Path], None]


def open_in_files(folder: Path) -> None:
    """Show a folder in the system's file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


class ExportDeed(QObject):
    """Exports a run, and asks before anything is replaced or handed on unproven.

    Attributes:
        exporting: What the engine does for it.
        question: What is being asked of the user; None while nothing is.
        open_folder: Shows a folder; another in tests.

    Signals:
        export_went_on: What is done, in words, and how far it is, 0 to 1 or below 0.
        export_ended: It is over, well or not, and what lies on the disk may be new.
        export_failed: A `Finding`.
    """

    export_went_on = Signal(str, float)
    export_ended = Signal()
    export_failed = Signal(object)

    def __init__(self, page: QWidget, task_for: TaskFor, opens: OpenFolder) -> None:
        """Prepare it.

        Args:
            page: Which asks the questions.
            task_for: Makes the engine's tasks.
            opens: Shows a folder.
        """
        super().__init__(page)
        self._page = page
        self.open_folder = opens
        self.question: Question | None = None
        self._wanted: tuple[Path, Path, tuple[str, ...], str] | None = None
        self._target = Path()
        self.exporting = Exporting(task_for, self)
        self.exporting.export_went_on.connect(self.export_went_on)
        self.exporting.export_done.connect(self._on_done)
        self.exporting.export_failed.connect(self._on_failed)

    @property
    def is_running(self) -> bool:
        """Whether the engine is at work."""
        return self.exporting.job.is_running

    def begin(
        self, run: Path, target: Path, kinds: tuple[str, ...], number_format: str
    ) -> None:
        """Export a run; what lies there already is asked about first.

        Args:
            run: The run's folder.
            target: The folder that will hold it.
            kinds: ``adapter``, ``merged`` or both.
            number_format: Of the merged weights.
        """
        if self.is_running or self.question is not None or not kinds:
            return
        self._wanted = (run, target, kinds, number_format)
        if not would_replace(target, kinds):
            self._export(overwrite=False)
            return
        self._ask(
            "Replace the earlier export?",
            f"{target} holds one already. Each part stays until the new one is whole.",
            ("Replace", "Cancel"),
            self._on_replace_confirmed,
        )

    def _export(self, *, overwrite: bool) -> None:
        if self._wanted is None:
            return
        run, self._target, kinds, number_format = self._wanted
        self.exporting.export(
            run, self._target, kinds, number_format, overwrite=overwrite
        )

    def _ask(
        self,
        title: str,
        words: str,
        buttons: tuple[str, str],
        confirmed: Callable[[], None],
    ) -> None:
        question = Question(title, words, *buttons, self._page)
        question.deed_confirmed.connect(confirmed)
        question.finished.connect(self._on_question_finished)
        self.question = question
        question.open()

    @Slot()
    def _on_replace_confirmed(self) -> None:
        self._export(overwrite=True)

    @Slot(object)
    def _on_done(self, exported: Exported) -> None:
        self.export_ended.emit()
        red = [each for each in exported.artefacts if each.is_proven is False]
        if not red:
            self.open_folder(Path(exported.path))
            return
        self._ask(
            "Publish a model that differs?",
            _differs(red[0]),
            ("Publish it", "Keep it aside"),
            self._on_publish_confirmed,
        )

    @Slot()
    def _on_publish_confirmed(self) -> None:
        try:
            publish_aside(self._target)
        except StudioError as refused:
            self.export_failed.emit(refused.finding)
            return
        self.export_ended.emit()
        self.open_folder(self._target)

    @Slot(object)
    def _on_failed(self, finding: Finding) -> None:
        self.export_ended.emit()
        self.export_failed.emit(finding)

    @Slot()
    def _on_question_finished(self) -> None:
        self.question = None


def _differs(artefact: Artefact) -> str:
    found = " ".join(each.what for each in artefact.findings[:2])
    place = Path(artefact.path).name
    return f"{found} The merged model was kept aside, in the folder {place}."
