"""An order to inspect a data set, for the window and the command line alike.

What was inspected before, and hasn't changed, is answered from the disk.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from studio.domain.data_report import DataReport
from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.domain.train_options import TrainOptions
from studio.protocol.data_events import DataInspected
from studio.services.model_places import store
from studio.storage.data_index import DataIndex, find_index, key_of, report_of
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
        """Of a recipe, with its model, if that is on this machine.

        Recipes that differ in nothing that an inspection looks at have equal orders.
        """
        decisive = Recipe(
            data=replace(recipe.data, prompts=(), mix=()),
            train=replace(
                TrainOptions(),
                sequence_length=recipe.train.sequence_length,
                seed=recipe.train.seed,
            ),
        )
        return cls(decisive, recipe.model.name if _is_here(recipe.model.name) else "")

    def without_model(self) -> "InspectionOrder":
        """The same without tokens, which is quicker and can't fail for the model."""
        return replace(self, model="")

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
        found = self.known_result()
        return None if found is None else found.report

    def known_result(self) -> "InspectionResult | None":
        """The result of the same inspection, made before; None when there is none."""
        index = self.known()
        try:
            if index is None:
                return None
            return InspectionResult(index.report(), index, index.tokens())
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


@dataclass(frozen=True, slots=True)
class InspectionResult:
    """What an inspection found.

    Attributes:
        report: In words and numbers.
        index: Where each row is; None when the data could not be opened.
        tokens: Of each usable row, as `DataIndex.tokens` has them.
    """

    report: DataReport
    index: DataIndex | None
    tokens: Sequence[int] = ()

    @classmethod
    def of(cls, told: DataInspected) -> "InspectionResult":
        """What an engine told; reads the rows' lengths from the disk.

        Raises:
            OSError: They can't be read.
            ValueError: They are none.
        """
        index = DataIndex(Path(told.index)) if told.index else None
        return cls(report_of(told), index, () if index is None else index.tokens())


def _is_here(name: str) -> bool:
    return bool(name) and _place_of(name) is not None


def _place_of(name: str) -> ModelPlace | None:
    try:
        place = store().find(name)
    except StudioError:
        return None
    return None if place.state is ModelState.MISSING else place
