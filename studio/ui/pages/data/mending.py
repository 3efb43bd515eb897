"""Mends findings of the project's data in a new file, and takes a mending back."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.dataset import ChatFile
from studio.domain.finding import Finding
from studio.services.data_mender import NEEDS_MODEL, MendedData
from studio.ui.pages.data.edits import DataEdits
from studio.ui.pages.data.findings import Mended, ShownFinding
from studio.ui.pages.data.pricing import LinePricer
from studio.ui.pages.desk import Desk


class Mending(QObject):
    """Mends, and makes the new file the project's data.

    Signals:
        failed(object): A `Finding`: why nothing was mended.
        way_changed: A new file is begun, goes on, or has ended.
    """

    failed = Signal(object)
    way_changed = Signal()

    def __init__(
        self, desk: Desk, edits: DataEdits, pricer: LinePricer, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._desk, self._edits, self._pricer = desk, edits, pricer
        self._counted = 0
        self._mender = desk.data_tools.mender
        self._path = ""
        self._mender.busy_changed.connect(self._on_busy_changed)
        self._mender.progress.connect(self._on_progress)
        self._mender.data_mended.connect(self._on_data_mended)
        self._mender.mending_failed.connect(self._on_mending_failed)

    def mended_in(self, file: ChatFile) -> tuple[Mended, ...]:
        """What was mended in a file."""
        name = Path(file.path).name
        found = self._mender.mends_in(file.path)
        return tuple(Mended(each.code, each.what, name) for each in found)

    def can_mend(self, code: str) -> bool:
        """Whether it can be mended here and now; some of it needs the model."""
        project = self._desk.projects.current
        if project is None or self._mender.is_busy:
            return False
        return code not in NEEDS_MODEL or self._pricer.has_model(project.recipe)

    def way(self, rows: int) -> tuple[str, int]:
        """How far the new file is, in words and rows; no words while none is written.

        Args:
            rows: That the file has.
        """
        if not self._mender.is_busy:
            return "", 0
        if not self._counted:
            return "Writing the mended file", 0
        return (
            f"Counted the tokens of {self._counted:,} of {rows:,} rows",
            self._counted,
        )

    @property
    def is_busy(self) -> bool:
        """Whether a new file is being written."""
        return self._mender.is_busy

    @property
    def can_stop(self) -> bool:
        """Whether writing it can be given up."""
        return self._mender.can_stop

    def stop(self) -> None:
        """Give it up; the data stay as they are."""
        self._mender.stop()

    def mend(self, code: str, shown: tuple[ShownFinding, ...]) -> None:
        """Mend what a finding is about."""
        project = self._desk.projects.current
        if project is None:
            return
        told = next((each.text.what for each in shown if each.key == code), code)
        self._path = project.recipe.data.path
        self._mender.mend(project.recipe, code, told)

    def take_back(self, code: str) -> None:
        """Leave what a finding was about as it was."""
        project = self._desk.projects.current
        if project is not None:
            self._path = project.recipe.data.path
            self._mender.take_back(project.recipe, code)

    @Slot()
    def _on_busy_changed(self) -> None:
        self._counted = 0
        self.way_changed.emit()

    @Slot(int)
    def _on_progress(self, rows: int) -> None:
        self._counted = rows
        self.way_changed.emit()

    @Slot(object)
    def _on_data_mended(self, made: MendedData) -> None:
        project = self._desk.projects.current
        # Another file, or project, was chosen meanwhile: the new file just lies there.
        if project is not None and project.recipe.data.path == self._path:
            self._edits.use_data(made.data)

    @Slot(object)
    def _on_mending_failed(self, finding: Finding) -> None:
        self.failed.emit(finding)
