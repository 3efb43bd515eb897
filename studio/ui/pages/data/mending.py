"""Mends findings of the project's data in a new file, and takes a mending back."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.dataset import ChatFile
from studio.domain.finding import Finding
from studio.services.data_mender import CANT_MEND, MendedData
from studio.ui.pages.data.edits import DataEdits
from studio.ui.pages.data.findings import Mended, ShownFinding
from studio.ui.pages.desk import Desk


class Mending(QObject):
    """Mends, and makes the new file the project's data.

    Signals:
        failed(object): A `Finding`: why nothing was mended.
    """

    failed = Signal(object)

    def __init__(self, desk: Desk, edits: DataEdits, parent: QObject) -> None:
        super().__init__(parent)
        self._desk, self._edits = desk, edits
        self._mender = desk.data_tools.mender
        self._path = ""
        self._mender.data_mended.connect(self._on_data_mended)
        self._mender.mending_failed.connect(self._on_mending_failed)

    def mended_in(self, file: ChatFile) -> tuple[Mended, ...]:
        """What was mended in a file."""
        name = Path(file.path).name
        found = self._mender.mends_in(file.path)
        return tuple(Mended(each.code, each.what, name) for each in found)

    def can_mend(self, code: str) -> bool:
        """Whether it can be mended without a tokenizer."""
        return code not in CANT_MEND and not self._mender.is_busy

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

    @Slot(object)
    def _on_data_mended(self, made: MendedData) -> None:
        project = self._desk.projects.current
        # Another file, or project, was chosen meanwhile: the new file just lies there.
        if project is not None and project.recipe.data.path == self._path:
            self._edits.use_data(made.data)

    @Slot(object)
    def _on_mending_failed(self, finding: Finding) -> None:
        self.failed.emit(finding)
