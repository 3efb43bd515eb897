"""The current project's chats, read once and shared by all pages.

Side nav, Data and Recipe speak of the same file; it is read again when the project or
its `data.path` changes, in the background.
"""

from typing import NamedTuple, Self

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.dataset import ChatFile
from studio.domain.finding import Finding
from studio.domain.recipe_options import DataOptions
from studio.services.data_reader import DataReader
from studio.services.projects import Projects


class _Asked(NamedTuple):
    """The options that decide what is read."""

    path: str
    format: str
    columns: tuple[str, ...]
    group: str
    mix: tuple[str, ...]

    @classmethod
    def of(cls, data: DataOptions) -> Self:
        return cls(data.path, data.format, data.columns, data.group, data.mix)


class ProjectData(QObject):
    """What the current project learns from, as far as it is read.

    Attributes:
        path: The file that the recipe names; empty without one.
        chat_file: Its rows; None until they are read, or when they can't be.
        finding: Why the file can't be used; None when it can.

    Signals:
        data_changed: Any of the attributes changed.
    """

    data_changed = Signal()

    def __init__(
        self, projects: Projects, reader: DataReader, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.path = ""
        self.chat_file: ChatFile | None = None
        self.finding: Finding | None = None
        self._asked = _Asked.of(DataOptions())
        self._projects = projects
        self._reader = reader
        reader.file_read.connect(self._on_file_read)
        reader.reading_failed.connect(self._on_reading_failed)
        projects.current_changed.connect(self._on_project_changed)
        projects.recipe_changed.connect(self._on_recipe_changed)
        self._follow()

    @property
    def is_reading(self) -> bool:
        """Whether a file is named whose rows are still to come."""
        return bool(self.path) and self.chat_file is None and self.finding is None

    def read_again(self) -> None:
        """Read the same file once more, in case that it was changed."""
        project = self._projects.current
        if project is not None and self.path:
            self._read(project.recipe.data)

    def close(self) -> None:
        """Wait for a file that is being read; for a window that closes."""
        self._reader.close()

    def _follow(self) -> None:
        project = self._projects.current
        data = DataOptions() if project is None else project.recipe.data
        if _Asked.of(data) != self._asked:
            self._read(data)

    def _read(self, data: DataOptions) -> None:
        self._asked = _Asked.of(data)
        self.path, self.chat_file, self.finding = data.path, None, None
        if data.path:
            self._reader.read(data)
        self.data_changed.emit()

    @Slot(object)
    def _on_file_read(self, chat_file: ChatFile) -> None:
        if not self.path:
            return  # the project was changed to one without data
        self.chat_file = chat_file
        self.data_changed.emit()

    @Slot(object)
    def _on_reading_failed(self, finding: Finding) -> None:
        if not self.path:
            return
        self.finding = finding
        self.data_changed.emit()

    @Slot()
    def _on_project_changed(self) -> None:
        self._follow()

    @Slot()
    def _on_recipe_changed(self) -> None:
        self._follow()
