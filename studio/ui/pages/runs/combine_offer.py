"""Opens the combining dialog for the Runs page, and says what came of it."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from studio.domain.combining import distance_words
from studio.domain.finding import Finding, Severity
from studio.protocol.export_events import Combined
from studio.services.engine_task import EngineTask
from studio.ui.pages.desk import Desk
from studio.ui.pages.engine_job import TaskFor
from studio.ui.pages.export.deed import OpenFolder, open_in_files
from studio.ui.pages.runs.combine_dialog import CombineDialog
from studio.ui.pages.runs.combine_model import candidates
from studio.ui.pages.runs.view_model import RunFacts


class CombineOffer(QObject):
    """The way from a chosen run to an adapter of several.

    Attributes:
        dialog: What is being asked; None while it isn't open.
        task_for: Makes the engine's task; another in tests.
        open_folder: Shows a folder; another in tests.

    Signals:
        was_combined(list): What came of it, and what is doubtful, as `Finding`s.
    """

    was_combined = Signal(list)

    def __init__(
        self,
        desk: Desk,
        page: QWidget,
        task_for: TaskFor = EngineTask,
        opens: OpenFolder = open_in_files,
    ) -> None:
        super().__init__(page)
        self._desk, self._page = desk, page
        self.dialog: CombineDialog | None = None
        self.task_for, self.open_folder = task_for, opens

    def ask(self, chosen: RunFacts, runs: Sequence[RunFacts]) -> None:
        """Ask with which others a run shall be combined, and how."""
        found = candidates(chosen, runs)
        if self.dialog is not None:
            return
        self.dialog = CombineDialog(self._desk, found, self._page, self.task_for)
        self.dialog.runs_combined.connect(self._on_combined)
        self.dialog.finished.connect(self._on_finished)
        self.dialog.open()

    @Slot(object)
    def _on_combined(self, told: tuple[Combined, tuple[Finding, ...]]) -> None:
        made, doubts = told
        folder = Path(made.path)
        self.was_combined.emit([_told(made, folder), *doubts])
        self.open_folder(folder)

    @Slot()
    def _on_finished(self) -> None:
        self.dialog = None


def _told(made: Combined, folder: Path) -> Finding:
    return Finding(
        code="combine.done",
        severity=Severity.INFO,
        what=f"The adapters are one of rank {made.rank}.",
        why=distance_words(made.distance),
        how_to_fix=f"It lies in exports/{folder.name}; in a terminal every command "
        "takes that folder in a run’s place.",
    )
