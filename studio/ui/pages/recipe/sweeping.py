"""The runs that a recipe and the values of a sweep make, and the words for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

from studio.domain.errors import StudioError
from studio.domain.finding import Severity
from studio.domain.options import Kind, Option, Value
from studio.domain.recipe import OPTIONS, Recipe
from studio.domain.run_queue import sweep
from studio.ui.forms.option_rows import choices_of
from studio.ui.text import count

_SWEPT_KINDS: Final = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.CHOICE, Kind.BOOLEAN})
NO_OPTION: Final = ""


@dataclass(frozen=True, slots=True)
class SweptOption:
    """An option and the values that were typed for it, separated by commas."""

    key: str
    typed: str

    @property
    def assignment(self) -> str:
        """As the command line writes it."""
        return f"{self.key}={self.typed}"


@dataclass(frozen=True, slots=True)
class Swept:
    """What is to be added to the queue.

    Attributes:
        runs: A title and a recipe each; none when something is refused.
        words: How many they are, and what was left out.
        errors: What is wrong with each option's values; empty texts where nothing is.
        error: What is wrong with all of it.
    """

    runs: tuple[tuple[str, Recipe], ...] = ()
    words: str = ""
    errors: tuple[str, ...] = ()
    error: str = ""


def sweepable() -> list[tuple[str, str]]:
    """Key and title of each option that has single values to choose from."""
    found = [option for option in OPTIONS.values() if option.kind in _SWEPT_KINDS]
    return [(option.key, option.title) for option in found]


def hint_of(option: Option) -> str:
    """What may be typed for an option, by example or as a list."""
    if option.kind in {Kind.INTEGER, Kind.NUMBER}:
        return "values, separated by commas"
    return ", ".join(value for value, _ in choices_of(option))


def now_words(option: Option, value: Value) -> str:
    """What the recipe says now, as it would be typed."""
    return f"Now {option.show(value)} {option.unit}".strip() + "."


def swept(recipe: Recipe, name: str, options: Sequence[SweptOption]) -> Swept:
    """Every combination of the options' values, as runs.

    Combinations whose options can't hold together are left out.

    Args:
        recipe: What the runs have in common.
        name: What their titles begin with.
        options: None for the recipe alone.
    """
    errors = tuple(_error_of(recipe, [option.assignment]) for option in options)
    if any(errors):
        return Swept(errors=errors)
    assignments = [option.assignment for option in options]
    refused = _error_of(recipe, assignments) or _named_twice(options)
    if refused:
        return Swept(errors=errors, error=refused)
    combined = [
        (" ".join(filter(None, [name, apart])), each)
        for apart, each in sweep(recipe, assignments)
    ]
    clashes = [_clash_of(each) for _, each in combined]
    runs = tuple(run for run, clash in zip(combined, clashes, strict=True) if not clash)
    first = next(filter(None, clashes), "")
    if not runs:
        return Swept(errors=errors, error=first)
    words = f"{_product(options)}{_left_out(len(combined) - len(runs), first)}"
    return Swept(runs, words.strip(), errors)


def _product(options: Sequence[SweptOption]) -> str:
    """How many runs each option makes, and all; empty without options."""
    if not options:
        return ""
    factors = [len(list(sweep(Recipe(), [each.assignment]))) for each in options]
    made = f"{count(prod(factors), 'run')}."
    if len(factors) == 1:
        return made
    return f"{' × '.join(map(str, factors))} = {made}"


def _left_out(runs: int, why: str) -> str:
    if not runs:
        return ""
    are = "is" if runs == 1 else "are"
    return f" {runs:,} of them {are} left out: {why}"


def _clash_of(recipe: Recipe) -> str:
    found = recipe.contradictions()
    clashes = (each.what for each in found if each.severity is Severity.ERROR)
    return next(clashes, "")


def _named_twice(options: Sequence[SweptOption]) -> str:
    keys = [option.key for option in options]
    twice = next((key for key in keys if keys.count(key) > 1), "")
    return f"{OPTIONS[twice].title} is chosen twice." if twice else ""


def _error_of(recipe: Recipe, assignments: Sequence[str]) -> str:
    try:
        list(sweep(recipe, assignments))
    except StudioError as refused:
        found = refused.finding
        return f"{found.what} {found.how_to_fix}".strip()
    return ""
