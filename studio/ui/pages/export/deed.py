"""The one click: a run becomes a folder to hand on, with the questions on the way."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.protocol.export_events import MERGED, Artefact, Exported
from studio.services.exports import publish_aside, published_name, would_replace
from studio.ui.pages.engine_job import TaskFor
from studio.ui.pages.export.jobs import Exporting, ExportWish
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
        self._wish: ExportWish | None = None
        self._aside: tuple[str, ...] = ()
        self.exporting = Exporting(task_for, self)
        self.exporting.export_went_on.connect(self.export_went_on)
        self.exporting.export_done.connect(self._on_done)
        self.exporting.export_failed.connect(self._on_failed)

    @property
    def is_running(self) -> bool:
        """Whether the engine is at work."""
        return self.exporting.job.is_running

    def begin(self, wish: ExportWish) -> None:
        """Export a run; what lies there already is asked about first."""
        if self.is_running or self.question is not None or not wish.kinds:
            return
        self._wish = wish
        if not would_replace(wish.target, wish.kinds):
            self._export(overwrite=False)
            return
        self._ask(
            "Replace the earlier export?",
            f"{wish.target} holds one already. "
            "Each part stays until the new one is whole.",
            ("Replace", "Cancel"),
            self._on_replace_confirmed,
        )

    def _export(self, *, overwrite: bool) -> None:
        if self._wish is not None:
            self.exporting.export(self._wish, overwrite=overwrite)

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
        self._aside = tuple(Path(each.path).name for each in red)
        if not red:
            self.open_folder(Path(exported.path))
            return
        whom = "a model that differs" if len(red) == 1 else "models that differ"
        self._ask(
            f"Publish {whom}?",
            _differs(red),
            ("Publish it", "Keep it aside"),
            self._on_publish_confirmed,
        )

    @Slot()
    def _on_publish_confirmed(self) -> None:
        if self._wish is None:
            return
        target = self._wish.target
        try:
            for name in self._aside:
                publish_aside(target, published_name(name))
        except StudioError as refused:
            self._on_failed(refused.finding)
            return
        self.export_ended.emit()
        self.open_folder(target)

    @Slot(object)
    def _on_failed(self, finding: Finding) -> None:
        self.export_ended.emit()
        self.export_failed.emit(finding)

    @Slot()
    def _on_question_finished(self) -> None:
        self.question = None


def _differs(red: Sequence[Artefact]) -> str:
    found = " ".join(each.what for one in red for each in one.findings[:2])
    places = " and ".join(Path(one.path).name for one in red)
    if len(red) > 1:
        return f"{found} They were kept aside, in the folders {places}."
    is_merged = red[0].kind == MERGED
    what = "The merged model" if is_merged else f"{red[0].kind} {red[0].form}".upper()
    return f"{found} {what} was kept aside, in the folder {places}."
