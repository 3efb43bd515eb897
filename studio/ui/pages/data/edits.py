"""The Data page's changes of the recipe: saved at once, and taken back by Ctrl+Z."""

from collections.abc import Mapping

from PySide6.QtCore import QObject
from PySide6.QtGui import QUndoStack

from studio.domain.data_mapping import words_of
from studio.domain.data_options import DataOptions
from studio.domain.dataset import ChatFile
from studio.domain.options import Value
from studio.domain.recipe import Recipe
from studio.ui.pages.data.lengths import SEQUENCE
from studio.ui.pages.desk import Desk
from studio.ui.pages.recipe.edits import RecipeChange
from studio.ui.pages.recipe.knowledge import Knowledge
from studio.ui.pages.recipe.proposing import Proposer


class DataEdits:
    """What the page sets in the recipe of the current project.

    Attributes:
        stack: The changes of this session, newest last.
    """

    def __init__(self, desk: Desk, parent: QObject) -> None:
        self._desk = desk
        self._proposer = Proposer(Knowledge(desk))
        self.stack = QUndoStack(parent)

    def use_file(self, path: str) -> None:
        """Learn from a file or folder; how its rows are read is recognised anew."""
        self._push({"data.path": path, "data.format": "", "data.columns": ()})

    def use_data(self, data: DataOptions) -> None:
        """Learn from a file whose rows are read as is said."""
        self._push(
            {
                "data.path": data.path,
                "data.format": data.format,
                "data.columns": data.columns,
            }
        )

    def assign(self, format_name: str, columns: tuple[str, ...]) -> None:
        """Read the rows by a format and columns."""
        self._push({"data.format": format_name, "data.columns": columns})

    def confirm(self, file: ChatFile) -> None:
        """Read the rows as they were recognised, whatever else might be."""
        self.assign(file.format_name, words_of(file.mapping))

    def hold_out(self, share: float) -> None:
        """Hold back a share of the rows."""
        self._push({"data.held_out": share, "data.held_out_file": ""})

    def set_length(self, length: int) -> None:
        """Cut rows at a length; what was as proposed follows, as on the Recipe page."""
        project = self._desk.projects.current
        if project is None or project.recipe.train.sequence_length == length:
            return
        values: dict[str, Value] = {SEQUENCE: length}
        first = self._proposer.first_values(project)
        extra = first or self._proposer.following(project, values)
        self._push({**extra, **values}, frozenset(values))

    def recipe_at(self, length: int) -> Recipe:
        """The recipe as `set_length` would leave it; nothing is changed."""
        project = self._desk.projects.current
        if project is None:
            return Recipe().with_value(SEQUENCE, length)
        values: dict[str, Value] = {SEQUENCE: length}
        first = self._proposer.coming_first_values(project)
        extra = first or self._proposer.following(project, values)
        return project.recipe.with_values({**extra, **values})

    def _push(
        self, values: Mapping[str, Value], own: frozenset[str] = frozenset()
    ) -> None:
        project = self._desk.projects.current
        if project is None:
            return
        refused = self._desk.notices.post
        self.stack.push(RecipeChange(project, values, refused, own=own))
