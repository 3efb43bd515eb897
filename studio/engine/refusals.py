"""What several verbs refuse before they load anything."""

from studio.domain.errors import StudioError, refusal
from studio.domain.finding import error
from studio.domain.recipe import Recipe
from studio.storage.run_directory import RunDirectory


def refuse_trained(run: RunDirectory) -> None:
    """Refuse to train a run from its start that has left a result.

    Raises:
        StudioError: It has.
    """
    if run.adapter_path.exists() or run.model_path.exists():
        raise refusal(
            "run.trained",
            "This run has been trained already.",
            fix="Start another one with the same recipe.",
            where=str(run.path),
        )


def refuse_contradictions(recipe: Recipe) -> None:
    """Refuse a recipe whose options can't hold together.

    Raises:
        StudioError: They can't.
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
