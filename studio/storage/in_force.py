"""The recipe that is in force for a run, kept beside the one it was begun with.

``recipe.toml`` stays what the user chose, and is what checkpoints are bound to. What a
run changed by itself when memory ran out lies in ``recipe.in-force.toml``; it counts
only if a run could have come to it from the recipe by itself (`studio.domain.relief`).
"""

import contextlib
from pathlib import Path

from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.domain.relief import reliefs
from studio.storage.recipes import load_recipe, save_recipe
from studio.storage.run_directory import RunDirectory

IN_FORCE = "recipe.in-force.toml"


def recipe_in_force(run: RunDirectory) -> Recipe:
    """What the run goes on with.

    Raises:
        StudioError: The run's recipe is missing or malformed.
    """
    chosen = run.read_recipe()
    try:
        kept = load_recipe(_path(run))
    except StudioError:
        return chosen
    return kept if kept in tuple(reliefs(chosen)) else chosen


def chosen_recipe(run: RunDirectory, trained: Recipe) -> Recipe:
    """The recipe that the run's checkpoints are bound to.

    Args:
        run: Whose it is.
        trained: What it trains by, which is it where none was written.

    Raises:
        StudioError: The run's recipe is malformed.
    """
    return run.read_recipe() if run.recipe_path.is_file() else trained


def put_in_force(run: RunDirectory, recipe: Recipe) -> None:
    """Let the run go on with a recipe that saves memory.

    Raises:
        StudioError: The disk is full or may not be written.
    """
    save_recipe(_path(run), recipe)


def forget_in_force(run: RunDirectory) -> None:
    """Begin with the recipe that the user chose."""
    with contextlib.suppress(OSError):
        _path(run).unlink(missing_ok=True)


def _path(run: RunDirectory) -> Path:
    return run.path / IN_FORCE
