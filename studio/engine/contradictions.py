"""Recipes whose options can't hold together are refused before anything is loaded."""

from studio.domain.errors import StudioError
from studio.domain.finding import error
from studio.domain.recipe import Recipe


def refuse_contradictions(recipe: Recipe) -> None:
    """Refuse a recipe that contradicts itself, all contradictions at once.

    Raises:
        StudioError: It does.
    """
    found = recipe.contradictions()
    if len(found) == 1:
        raise StudioError(found[0])
    if found:
        raise StudioError(
            error(
                "recipe.contradiction",
                " ".join(finding.what for finding in found),
                fix=" ".join(finding.how_to_fix for finding in found),
                where=", ".join(finding.where for finding in found),
            )
        )
