"""Changes of a recipe that are saved at once and can be taken back."""

from collections.abc import Callable, Mapping
from typing import Final

from PySide6.QtGui import QUndoCommand
from typing_extensions import override

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.domain.options import Value
from studio.domain.recipe import OPTIONS, Recipe
from studio.services.project import Project

_MERGED: Final = 1

Refused = Callable[[Finding], None]


class RecipeChange(QUndoCommand):
    """A few options set together.

    Only these options are touched, so that taking it back leaves alone what other
    pages have changed since.

    Attributes:
        values: What each option is set to.
        by_user: Whether the user chose the values, rather than the proposal.
    """

    def __init__(
        self,
        project: Project,
        values: Mapping[str, Value],
        refused: Refused,
        *,
        by_user: bool,
    ) -> None:
        """Prepare a change; pushing it on the stack saves it.

        Args:
            project: Whose recipe is changed.
            values: By option key.
            refused: Told why the disk refuses; the change is dropped then.
            by_user: Whether the user chose the values.
        """
        super().__init__(_words(values))
        self.values = dict(values)
        self.by_user = by_user
        self._before = {key: project.recipe.value(key) for key in values}
        self._project = project
        self._refused = refused

    @override
    def redo(self) -> None:
        self._save(self.values)

    @override
    def undo(self) -> None:
        self._save(self._before)

    @override
    def id(self) -> int:
        return _MERGED

    @override
    def mergeWith(self, other: QUndoCommand) -> bool:
        """A slider's way is one change, however many stops it passed."""
        if not isinstance(other, RecipeChange):
            return False
        alike = set(other.values) == set(self.values) and len(self.values) == 1
        if not (alike and self.by_user and other.by_user):
            return False
        self.values = other.values
        return True

    def _save(self, values: Mapping[str, Value]) -> None:
        try:
            self._project.set_recipe(with_values(self._project.recipe, values))
        except StudioError as refusal:
            self.setObsolete(True)
            self._refused(refusal.finding)


def with_values(recipe: Recipe, values: Mapping[str, Value]) -> Recipe:
    """The same recipe with several options set.

    Raises:
        StudioError: A value that its option refuses.
    """
    for key, value in values.items():
        recipe = recipe.with_value(key, value)
    return recipe


def differences(recipe: Recipe, wanted: Recipe) -> dict[str, Value]:
    """The options in which another recipe differs, with its values."""
    return {
        key: wanted.value(key)
        for key in OPTIONS
        if wanted.value(key) != recipe.value(key)
    }


def _words(values: Mapping[str, Value]) -> str:
    titles = [OPTIONS[key].title for key in values]
    return titles[0] if len(titles) == 1 else f"{len(titles)} settings"
