"""Recipes on disk."""

from pathlib import Path

from studio.domain.hub_names import is_hub_word
from studio.domain.mixing import MixError, MixWord, mix_of
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
        recipe: Its data files and its model may be relative paths.
        folder: What they are relative to.

    Returns:
        A recipe whose data paths are absolute, and its model's name too when it is a
        folder there. A mix that can't be understood stays as it is.
    """
    if recipe.data.path:
        file = _absolute(recipe.data.path, folder)
        recipe = recipe.with_value("data.path", file)
    recipe = with_absolute_others(recipe, folder)
    if recipe.model.name:
        model = folder / Path(recipe.model.name).expanduser()
        if model.is_dir():
            recipe = recipe.with_value("model.name", str(model))
    return recipe


def with_absolute_others(recipe: Recipe, folder: Path) -> Recipe:
    """The same recipe with the files beside its data file named absolutely.

    Args:
        recipe: A mix in it that can't be understood stays as it is.
        folder: What their paths are relative to.
    """
    if recipe.data.held_out_file:
        file = _absolute(recipe.data.held_out_file, folder)
        recipe = recipe.with_value("data.held_out_file", file)
    try:
        mix = mix_of(recipe.data.mix)
    except MixError:
        return recipe  # told where the data is read
    words = (MixWord(_absolute(each.path, folder), each.share).word() for each in mix)
    return recipe.with_value("data.mix", tuple(words))


def _absolute(path: str, folder: Path) -> str:
    """A path as any process finds it; a hub's word as it is."""
    return path if is_hub_word(path) else str(folder / Path(path).expanduser())
