"""Changes of a recipe that are saved at once and can be taken back."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from PySide6.QtGui import QUndoCommand
from typing_extensions import override

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.domain.options import Value
from studio.domain.recipe import OPTIONS, Recipe
from studio.domain.recommend.policy import POLICIES, Goal
from studio.services.project import Project

_MERGED: Final = 1

Refused = Callable[[Finding], None]


class RecipeChange(QUndoCommand):
    """A few options set together.

    Only these options are touched, so that taking it back leaves alone what other
    pages have changed since.

    Attributes:
        values: What each option is set to.
        own: Which of them the user chose, rather than the proposal.
    """

    def __init__(
        self,
        project: Project,
        values: Mapping[str, Value],
        refused: Refused,
        *,
        own: AbstractSet[str] = frozenset(),
        goal: Goal | None = None,
    ) -> None:
        """Prepare a change; pushing it on the stack saves it.

        Args:
            project: Whose recipe is changed.
            values: By option key.
            refused: Told why the disk refuses; the change is dropped then.
            own: Which of them the user chose.
            goal: What the free memory shall buy from now on; None to leave it.
        """
        super().__init__(_words(values, own, goal))
        self.values = dict(values)
        self.own = frozenset(own)
        self._before = {key: project.recipe.value(key) for key in values}
        self._goal = goal
        self._goal_before = project.goal
        self._own_before = project.own_keys
        self._project = project
        self._refused = refused

    @override
    def redo(self) -> None:
        own = (self._own_before - set(self.values)) | self.own
        self._save(self.values, self._goal, own)

    @override
    def undo(self) -> None:
        goal = self._goal_before if self._goal else None
        self._save(self._before, goal, self._own_before)

    @override
    def id(self) -> int:
        return _MERGED

    @override
    def mergeWith(self, other: QUndoCommand) -> bool:
        """A slider's way is one change, however many stops it passed."""
        if not isinstance(other, RecipeChange):
            return False
        if self.own != other.own or len(self.own) != 1 or other.goal_changed:
            return False
        # What followed from an earlier stop goes back with it.
        self._before = other._before | self._before
        self.values |= other.values
        return True  # its own keys stay as they were before the first stop

    @property
    def goal_changed(self) -> bool:
        """Whether it chose what the free memory shall buy."""
        return self._goal is not None

    def _save(
        self, values: Mapping[str, Value], goal: Goal | None, own: AbstractSet[str]
    ) -> None:
        try:
            self._project.set_own_keys(own)
            if goal is not None:
                self._project.set_goal(goal)
            self._project.set_recipe(self._project.recipe.with_values(values))
        except StudioError as refusal:
            self.setObsolete(True)
            self._refused(refusal.finding)


def differences(recipe: Recipe, wanted: Recipe) -> dict[str, Value]:
    """The options in which another recipe differs, with its values."""
    return {
        key: wanted.value(key)
        for key in OPTIONS
        if wanted.value(key) != recipe.value(key)
    }


def _words(
    values: Mapping[str, Value], own: AbstractSet[str], goal: Goal | None
) -> str:
    if goal is not None:
        return POLICIES[goal].title
    titles = [OPTIONS[key].title for key in own or values]
    return titles[0] if len(titles) == 1 else f"{len(titles)} settings"
