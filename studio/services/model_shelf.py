"""The models that can be chosen, for pages and commands."""

from collections.abc import Sequence

from studio.domain.architecture import ModelArchitecture
from studio.services.engine_task import EngineTask
from studio.services.model_places import store
from studio.services.model_shapes import architecture_of
from studio.storage.models import ModelPlace, ModelState

__all__ = ["ModelPlace", "ModelShelf", "ModelState"]


class ModelShelf:
    """Known models and those on this machine."""

    def entries(self) -> Sequence[ModelPlace]:
        """The models of Snugtune's list, then others in the Hugging Face cache."""
        return [*store().known(), *store().on_disk()]

    def look_up(self, name: str) -> ModelPlace:
        """The model that a recipe's ``model.name`` means.

        Raises:
            StudioError: No name, a folder that is no model, or a name nobody knows.
        """
        return store().find(name)

    def architecture_of(self, place: ModelPlace) -> ModelArchitecture | None:
        """A model's shape; None when its kind can't be priced yet."""
        return architecture_of(place)

    def prepare(self, name: str) -> EngineTask:
        """The task that makes a convertible model ready to load; start it."""
        return EngineTask("prepare-model", name)
