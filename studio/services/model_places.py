"""This machine's model store, for services that work without Qt."""

from studio.storage.models import ModelStore
from studio.system.paths import models_dir
from studio.system.resources import resource_root


def store() -> ModelStore:
    """The models that the list names and this machine holds."""
    return ModelStore(resource_root() / "models", models_dir())
