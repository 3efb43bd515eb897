"""The model list with its marks on one device."""

from collections.abc import Sequence
from dataclasses import dataclass

from studio.domain.finding import Finding
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.recommend.marks import (
    Mark,
    Marking,
    frugal_estimate,
    longest_texts,
    mark,
)
from studio.services.measured import taught, with_context
from studio.services.model_shapes import shape_of
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


def frugal_price(place: ModelPlace, device: TrainingDevice) -> MemoryEstimate | Finding:
    """What the recipe of the marks takes; about 2 ms.

    Args:
        place: Of the list, or another.
        device: Its free memory plays no part.

    Returns:
        The estimate, or why this model can't be priced.
    """
    shape = shape_of(place)
    if isinstance(shape, Finding):
        return shape
    known = with_context(device)
    return taught(frugal_estimate(shape, known), device)


def texts_that_fit(
    place: ModelPlace, device: TrainingDevice
) -> list[tuple[int, MemoryEstimate]]:
    """The longest rows that a model can be trained on, as `longest_texts` tells them.

    Args:
        place: Of the list, or another.
        device: As measured now, or a card that isn't here.

    Returns:
        Nothing for a model that can't be priced.
    """
    shape = shape_of(place)
    if isinstance(shape, Finding):
        return []
    known = with_context(device)
    found = longest_texts(shape, known)
    return [(length, taught(estimate, known)) for length, estimate in found]


def marking_of(place: ModelPlace, device: TrainingDevice) -> Marking | None:
    """A model's mark; None where its config isn't known or its kind isn't."""
    shape = shape_of(place)
    if isinstance(shape, Finding):
        return None
    return mark(shape, device)


def _rank(model: MarkedModel) -> tuple[int, int, str]:
    marking, place = model.marking, model.place
    rank = len(_ORDER) if marking is None else _ORDER.index(marking.mark)
    return rank, -place.parameters, place.name.casefold()
