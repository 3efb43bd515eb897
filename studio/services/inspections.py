"""An order to inspect a data set, for the window and the command line alike.

What was inspected before, and hasn't changed, is answered from the disk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from studio.domain.data_report import DataReport
from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.services.model_places import store
from studio.storage.data_index import DataIndex, find_index, key_of
from studio.storage.models import ModelPlace, ModelState
from studio.storage.recipes import save_recipe
from studio.system.paths import data_indexes_dir

VERB: Final = "inspect-data"


@dataclass(frozen=True, slots=True)
class InspectionOrder:
    """What is to be inspected.

    Attributes:
        recipe: Names the data, how it is read, and the sequence length.
        model: Whose tokenizer counts; empty to find what needs no tokens.
    """

    recipe: Recipe
    model: str = ""

    @classmethod
    def of(cls, recipe: Recipe) -> "InspectionOrder":
        """With the recipe's model, if it is on this machine."""
        return cls(recipe, recipe.model.name if _is_here(recipe.model.name) else "")

    def key(self) -> str:
        """The name of its index; changes when the data, or what decides, changes.

        Raises:
            OSError: The data can't be looked at.
            StudioError: The model or the data isn't there.
        """
        place = store().find(self.model) if self.model else None
        return key_of(self.recipe, place)

    def known(self) -> DataIndex | None:
        """The index of the same inspection, made before; None when there is none."""
        try:
            return find_index(data_indexes_dir(), self.key())
        except (OSError, StudioError):
            return None

    def known_report(self) -> DataReport | None:
        """The report of the same inspection, made before; None when there is none."""
        index = self.known()
        try:
            return None if index is None else index.report()
        except (OSError, ValueError):
            return None

    def arguments(self, folder: Path) -> Sequence[str]:
        """Write what the engine reads, and say what its verb is told.

        Args:
            folder: One that lives as long as the engine.

        Raises:
            StudioError: The disk refuses.
        """
        file = folder / "recipe.toml"
        save_recipe(file, self.recipe)
        return [str(file), *(["--model", self.model] if self.model else [])]


def _is_here(name: str) -> bool:
    return bool(name) and _place_of(name) is not None


def _place_of(name: str) -> ModelPlace | None:
    try:
        place = store().find(name)
    except StudioError:
        return None
    return None if place.state is ModelState.MISSING else place
