"""The current project's chats, read once and shared by all pages.

Side nav, Data and Recipe speak of the same file; it is read again when the project or
its `data.path` changes, in the background. Of a large file the first rows are there at
once; the rest, and the rows' tokens, come from an inspection beside the window.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Self

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.data_options import DataOptions
from studio.domain.data_report import DataReport
from studio.domain.dataset import ChatFile
from studio.domain.finding import Finding
from studio.services.data_reader import DataReader
from studio.services.projects import Projects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from studio.services.data_inspector import DataInspector


class _Asked(NamedTuple):
    """The options that decide what is read."""

    path: str
    format: str
    columns: tuple[str, ...]
    group: str
    mix: tuple[str, ...]
    held_out_file: str

    @classmethod
    def of(cls, data: DataOptions) -> Self:
        asked = data.path, data.format, data.columns, data.group, data.mix
        return cls(*asked, data.held_out_file)


class ProjectData(QObject):
    """What the current project learns from, as far as it is read.

    Attributes:
        path: The file that the recipe names; empty without one.
        chat_file: Its rows; None until they are read, or when they can't be.
        finding: Why the file can't be used; None when it can.
        report: What the checks found in all of it; None until they have.
        row_tokens: Of each usable row, in file order; empty until they are counted.
        trouble: Why the checks could not be made; None when they could.
        progress: Rows that are checked, and of how many, as far as can be judged.
        is_stopped: Whether the checks were ended before they were through.

    Signals:
        data_changed: Any of the attributes changed, save the progress.
        progress_changed: The checks began, went on or ended.
    """

    data_changed = Signal()
    progress_changed = Signal()

    def __init__(
        self,
        projects: Projects,
        reader: DataReader,
        inspector: "DataInspector | None" = None,
        parent: QObject | None = None,
    ) -> None:
        """Follow the current project.

        Args:
            projects: Whose data is read.
            reader: That reads it.
            inspector: That checks it; without one, files are only read.
            parent: Qt's owner.
        """
        super().__init__(parent)
        self.path = ""
        self.chat_file: ChatFile | None = None
        self.finding: Finding | None = None
        self.report: DataReport | None = None
        self.row_tokens: Sequence[int] = ()
        self.trouble: Finding | None = None
        self.progress = (0, 0)
        self.is_stopped = False
        self._as_read: ChatFile | None = None
        self._model = ""
        self._is_read_again = False
        self._asked = _Asked.of(DataOptions())
        self._projects = projects
        self._reader = reader
        self._inspector = inspector
        reader.looks_first = inspector is not None
        if inspector is not None:
            inspector.progress.connect(self._on_progress)
            inspector.state_changed.connect(self.progress_changed)
            inspector.report_ready.connect(self._on_report_ready)
            inspector.inspection_failed.connect(self._on_inspection_failed)
        reader.file_read.connect(self._on_file_read)
        reader.reading_failed.connect(self._on_reading_failed)
        projects.current_changed.connect(self._on_project_changed)
        projects.recipe_changed.connect(self._on_recipe_changed)
        self._follow()

    @property
    def is_reading(self) -> bool:
        """Whether a file is named whose rows are still to come."""
        return bool(self.path) and self.chat_file is None and self.finding is None

    @property
    def is_checking(self) -> bool:
        """Whether a report is still to come."""
        return self._inspector is not None and self._inspector.is_running

    def stop_checking(self) -> None:
        """End the checks; rows that are not read yet are then read all the same."""
        if self._inspector is not None and self._inspector.is_running:
            self.is_stopped = True
            self._inspector.cancel()
            self._read_the_rest()
            self.data_changed.emit()

    @Slot()
    def check_again(self) -> None:
        """Begin the checks anew after they were stopped."""
        self.is_stopped = False
        self._inspect()
        self.data_changed.emit()

    def read_again(self) -> None:
        """Read the same file once more, in case that it was changed."""
        project = self._projects.current
        if project is not None and self.path:
            self._is_read_again = True
            self._read(project.recipe.data)

    def close(self) -> None:
        """Wait for a file that is being read; for a window that closes."""
        if self._inspector is not None:
            self._inspector.close()
        self._reader.close()

    def _follow(self) -> None:
        project = self._projects.current
        data = DataOptions() if project is None else project.recipe.data
        if _Asked.of(data) != self._asked:
            self._read(data)
        elif self._as_read is not None:
            self._inspect()

    def _read(self, data: DataOptions) -> None:
        self._asked = _Asked.of(data)
        self.path, self.chat_file, self.finding = data.path, None, None
        self._as_read = None
        self._forget_report()
        if self._inspector is not None:
            self._inspector.cancel()
        if data.path:
            self._reader.read(data)
        self.data_changed.emit()

    def _forget_report(self) -> None:
        self.report, self.trouble, self.progress = None, None, (0, 0)
        self.is_stopped = False
        self.row_tokens = ()

    def _inspect(self) -> None:
        """Have the file checked as the recipe is now; cheap when nothing changed."""
        project, inspector = self._projects.current, self._inspector
        if project is None or inspector is None or self._as_read is None:
            return
        model = project.recipe.model.name
        if model != self._model:
            self._model = model
            self._forget_report()  # its tokens are another tokenizer's
            self._show_as_read()
        if self.is_stopped:
            return  # until the user wants it, or something else is to be checked
        again, self._is_read_again = self._is_read_again, False
        is_partial = not self._as_read.is_whole
        inspector.inspect(project.recipe, quickly_first=is_partial, again=again)

    def _show_as_read(self) -> None:
        """The file, its lengths in tokens where they are counted."""
        file, report = self._as_read, self.report
        if file is not None and file.is_whole and report and report.lengths.counted:
            file = replace(file, lengths=report.lengths)
        self.chat_file = file
        self.data_changed.emit()

    def _read_the_rest(self) -> None:
        """Read all of a large file of which only the first rows are known."""
        project, inspector = self._projects.current, self._inspector
        if project is None or self._as_read is None or self._as_read.is_whole:
            return
        if inspector is not None and inspector.index is not None:
            self._reader.read_indexed(project.recipe.data, inspector.index)
        else:
            self._reader.read_whole(project.recipe.data)

    @Slot(object)
    def _on_file_read(self, chat_file: ChatFile) -> None:
        if not self.path:
            return  # the project was changed to one without data
        self._as_read = chat_file
        self._show_as_read()
        self._inspect()

    @Slot(object)
    def _on_reading_failed(self, finding: Finding) -> None:
        if not self.path:
            return
        self.finding = finding
        self.data_changed.emit()

    @Slot(int, int)
    def _on_progress(self, done: int, total: int) -> None:
        self.progress = done, total
        self.progress_changed.emit()

    @Slot(object)
    def _on_report_ready(self, report: DataReport) -> None:
        self.report, self.trouble = report, None
        if self._inspector is not None:
            self.row_tokens = self._inspector.tokens
        self._read_the_rest()
        self._show_as_read()

    @Slot(object)
    def _on_inspection_failed(self, finding: Finding) -> None:
        self.trouble = finding
        if not self.is_checking:
            self._read_the_rest()
        self.data_changed.emit()

    @Slot()
    def _on_project_changed(self) -> None:
        self._follow()

    @Slot()
    def _on_recipe_changed(self) -> None:
        self._follow()
