"""Where the models lie that an engine is told of by name."""

from studio.domain.errors import StudioError, refusal
from studio.storage.models import ModelPlace, ModelState, ModelStore
from studio.system.paths import models_dir
from studio.system.resources import resource_root


def place_of(name: str) -> ModelPlace:
    """Find a model that is on this machine.

    Raises:
        StudioError: It is not.
    """
    store = ModelStore(resource_root() / "models", models_dir())
    place = store.find(name)
    if place.state is ModelState.MISSING:
        raise refusal(
            "model.missing",
            f"The model {place.name} is not on this machine.",
            fix="Fetch it into the Hugging Face cache, or choose another model.",
            where="model.name",
        )
    return place


def place_if_here(name: str) -> ModelPlace | None:
    """The same, where it doesn't matter whether the model is on this machine."""
    try:
        return place_of(name)
    except StudioError:
        return None
