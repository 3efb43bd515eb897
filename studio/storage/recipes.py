"""Recipes on disk."""

from pathlib import Path

from studio.domain.recipe import Recipe
from studio.storage.documents import read_toml, write_toml_atomically


def load_recipe(path: Path) -> Recipe:
    """Read a recipe; paths in it are taken from the file's own folder.

    Raises:
        StudioError: The file is missing or malformed, or an option in it is unknown
            or refused.
    """
    recipe = Recipe.from_document(read_toml(path, "recipe"), str(path))
    return with_absolute_paths(recipe, path.absolute().parent)


def save_recipe(path: Path, recipe: Recipe) -> None:
    """Write a recipe, every option spelt out, whole or not at all.

    Raises:
        StudioError: The disk is full or may not be written.
    """
    write_toml_atomically(path, "recipe", recipe.to_document())


def with_absolute_paths(recipe: Recipe, folder: Path) -> Recipe:
    """The same recipe with its files named so that any process finds them.

    Args:
        recipe: Its data file and its model may be relative paths.
        folder: What they are relative to.

    Returns:
        A recipe whose data path is absolute, and its model's name too when it is a
        folder there.
    """
    if recipe.data.path:
        file = folder / Path(recipe.data.path).expanduser()
        recipe = recipe.with_value("data.path", str(file))
    if recipe.model.name:
        model = folder / Path(recipe.model.name).expanduser()
        if model.is_dir():
            recipe = recipe.with_value("model.name", str(model))
    return recipe
