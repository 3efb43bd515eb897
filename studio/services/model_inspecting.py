"""Which folder a path or a hub id means, and what the model in it tells."""

from pathlib import Path

from studio.domain.errors import refusal
from studio.services.model_places import store
from studio.storage.model_inspection import ModelInspection, inspect
from studio.storage.models import ModelState, cached_folder


def inspect_model(name: str) -> ModelInspection:
    """Read a model's config and the headers of its weights.

    Args:
        name: A folder, a hub id or a name of the model list.

    Raises:
        StudioError: It isn't here, or is no model.
    """
    folder = Path(name).expanduser()
    if name and folder.exists():
        return inspect(folder.absolute())
    place = store().find(name)
    if place.state is ModelState.READY and place.folder is not None:
        return inspect(place.folder)
    cached = cached_folder(place.hub_id)
    if cached is not None:
        return inspect(cached)
    if place.state is ModelState.CONVERTIBLE:
        fix = "It is unpacked when a run first needs it; inspect it then."
    else:
        fix = f"Fetch it: hf download {place.hub_id}."
    raise refusal(
        "model.not-here",
        f"{place.title} is not on this disk as safetensors.",
        fix=fix,
        where=name,
    )
