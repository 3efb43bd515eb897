"""A model's shape from its config, or why it has none that the formula knows."""

from studio.domain.architecture import ModelArchitecture
from studio.domain.errors import StudioError
from studio.domain.finding import Finding, Severity
from studio.storage.models import ModelPlace


def shape_of(place: ModelPlace) -> ModelArchitecture | Finding:
    """A model's shape, or why it can't be priced."""
    if place.config is None:
        return Finding(
            code="model.no-config",
            severity=Severity.INFO,
            what=f"{place.title} can't be priced before it is on this machine.",
            where=place.name,
        )
    try:
        return ModelArchitecture.from_config(place.config)
    except StudioError as unknown:
        return unknown.finding


def architecture_of(place: ModelPlace) -> ModelArchitecture | None:
    """A model's shape; None when its kind can't be priced yet."""
    shape = shape_of(place)
    return None if isinstance(shape, Finding) else shape
