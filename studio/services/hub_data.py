"""Data sets of the hub by their words: those that lie here become files."""

from typing import Final

from studio.domain.errors import StudioError
from studio.domain.hub_names import HubName, is_hub_word
from studio.domain.mixing import MixError, MixWord, mix_of
from studio.domain.recipe import Recipe
from studio.storage.hub_data import FetchedData, find_fetched
from studio.system.paths import hub_data_dir

_PATHS: Final = ("data.path", "data.held_out_file")


def fetched(word: str) -> FetchedData | None:
    """The data set that a word means; None when it was not fetched.

    Raises:
        StudioError: The word names none.
    """
    return find_fetched(hub_data_dir(), HubName.of(word))


def with_data_here(recipe: Recipe) -> Recipe:
    """The same recipe with the files of data sets that were fetched.

    Words of others stay; whoever reads them says what to do.
    """
    for key in _PATHS:
        recipe = recipe.with_value(key, _here(str(recipe.value(key))))
    try:
        mix = mix_of(recipe.data.mix)
    except MixError:
        return recipe  # told where the data is read
    if not any(is_hub_word(each.path) for each in mix):
        return recipe
    words = tuple(MixWord(_here(each.path), each.share).word() for each in mix)
    return recipe.with_value("data.mix", words)


def _here(path: str) -> str:
    if not is_hub_word(path):
        return path
    try:
        found = fetched(path)
    except StudioError:
        return path
    return path if found is None else str(found.path)
