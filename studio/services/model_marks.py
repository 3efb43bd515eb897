"""The model list with its marks on one device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError
from studio.domain.hardware import TrainingDevice
from studio.domain.recommend.marks import Mark, Marking, mark
from studio.services.measured import with_context
from studio.storage.models import ModelPlace

_ORDER = tuple(Mark)


@dataclass(frozen=True, slots=True)
class MarkedModel:
    """A model and its mark; None where its kind can't be priced by formula."""

    place: ModelPlace
    marking: Marking | None


def marked(
    places: Sequence[ModelPlace], device: TrainingDevice
) -> Sequence[MarkedModel]:
    """Mark models on a device; the best mark first, then the largest model.

    Args:
        places: Of the list, or others with a config.
        device: As measured now, or a card that isn't here.
    """
    known = with_context(device)
    found = [MarkedModel(place, marking_of(place, known)) for place in places]
    return sorted(found, key=_rank)


def marking_of(place: ModelPlace, device: TrainingDevice) -> Marking | None:
    """A model's mark; None where its config isn't known or its kind isn't."""
    shape = None if place.config is None else _shape(place.config)
    return None if shape is None else mark(shape, device, place.vision_parameters)


def _shape(config: Mapping[str, object]) -> ModelArchitecture | None:
    try:
        return ModelArchitecture.from_config(config)
    except StudioError:
        return None


def _rank(model: MarkedModel) -> tuple[int, int, str]:
    marking, place = model.marking, model.place
    rank = len(_ORDER) if marking is None else _ORDER.index(marking.mark)
    return rank, -place.parameters, place.name.casefold()
