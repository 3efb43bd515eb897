"""Options declared once: the row that form, command line, file and docs share.

A recipe's dataclass fields are declared by the functions `integer`, `number`,
`choice`, `flag`, `text`, `path` and `words`; each leaves its `Option` row in the
field's metadata, and `collect` gathers the table. Nothing else may declare an
option, and a key that is not in the table is refused.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar, cast, get_type_hints

from studio.domain.errors import StudioError, refusal

Value = int | float | bool | str | tuple[str, ...]
Choice = TypeVar("Choice", bound=StrEnum)

_METADATA_KEY = "option"


class Kind(StrEnum):
    """What sort of value an option holds; a form picks its editor by it."""

    INTEGER = "integer"
    NUMBER = "number"
    CHOICE = "choice"
    BOOLEAN = "boolean"
    TEXT = "text"
    PATH = "path"
    WORDS = "words"


class Level(StrEnum):
    """Who is shown an option: everybody, or those who ask for all."""

    SIMPLE = "simple"
    EXPERT = "expert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One row of the option table.

    Attributes:
        key: ``group.name``, as in files and on the command line.
        kind: The sort of value.
        default: The value of a recipe that says nothing.
        title: The label, sentence case.
        help: One or two sentences: what it does.
        effect: Its effect on memory, in words; empty when there is none.
        unit: Shown behind the value, such as ``tokens``.
        low: Least value of a number, inclusive.
        high: Greatest value of a number, inclusive.
        choices: The allowed values of a choice, in order.
        choice_titles: A label for each choice.
        level: Whether the simple form shows it.
    """

    kind: Kind
    default: Value
    title: str
    help: str
    key: str = ""
    effect: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[StrEnum, ...] = ()
    choice_titles: tuple[str, ...] = ()
    level: Level = Level.EXPERT

    @property
    def group(self) -> str:
        """The part of the key before the point."""
        return self.key.partition(".")[0]

    def parse(self, typed: str) -> Value:
        """Read a value from what a person typed.

        Raises:
            StudioError: The text is not a value of this option.
        """
        typed = typed.strip()
        match self.kind:
            case Kind.INTEGER:
                return self.check(self._number(typed, int))
            case Kind.NUMBER:
                return self.check(self._number(typed, float))
            case Kind.BOOLEAN:
                return self._boolean(typed)
            case Kind.WORDS:
                return self.check(_split_words(typed))
            case _:
                return self.check(typed)

    def check(self, value: object) -> Value:
        """Accept a value that a program or a file gives, in its right type.

        Raises:
            StudioError: The value is of another type or out of bounds.
        """
        match self.kind, value:
            case (Kind.BOOLEAN, bool()):
                return value
            case (Kind.TEXT | Kind.PATH, str()):
                return value
            case (_, bool()):
                raise self._refused(value)
            case (Kind.INTEGER, int()):
                return self._bounded(value)
            case (Kind.NUMBER, int() | float()):
                return self._bounded(float(value))
            case (Kind.CHOICE, str()):
                return self._chosen(value)
            case (Kind.WORDS, _):
                return self._listed(value)
        raise self._refused(value)

    def show(self, value: Value) -> str:
        """The value as text that `parse` reads back to the same value."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, tuple):
            plain = all("," not in word and '"' not in word for word in value)
            return ", ".join(value) if plain else json.dumps(value, ensure_ascii=False)
        return f"{value:g}" if isinstance(value, float) and value == 0 else str(value)

    def expectation(self) -> str:
        """What values are accepted, in words."""
        match self.kind:
            case Kind.INTEGER | Kind.NUMBER:
                noun = "a whole number" if self.kind is Kind.INTEGER else "a number"
                return f"{noun} from {_plain(self.low)} to {_plain(self.high)}"
            case Kind.CHOICE:
                return "one of " + ", ".join(self.choices)
            case Kind.BOOLEAN:
                return "true or false"
            case Kind.WORDS:
                return "a list of words"
            case _:
                return "text"

    def _number(self, typed: str, read: type[int] | type[float]) -> float:
        try:
            return read(typed.replace(",", "") if read is int else typed)
        except ValueError:
            raise self._refused(typed) from None

    def _boolean(self, typed: str) -> bool:
        match typed.lower():
            case "true" | "yes" | "on" | "1":
                return True
            case "false" | "no" | "off" | "0":
                return False
        raise self._refused(typed)

    def _bounded(self, value: float) -> Value:
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        if not (math.isfinite(value) and low <= value <= high):
            raise self._refused(value)
        return value

    def _chosen(self, value: str) -> Value:
        for choice_ in self.choices:
            if choice_ == value:
                return choice_
        raise self._refused(value)

    def _listed(self, value: object) -> Value:
        if isinstance(value, str):
            return (value,) if value else ()
        if isinstance(value, list | tuple) and all(isinstance(w, str) for w in value):
            return tuple(value)
        raise self._refused(value)

    def _refused(self, value: object) -> StudioError:
        return refusal(
            "recipe.value",
            f"“{value}” is not accepted for {self.title.lower()}.",
            fix=f"Give {self.expectation()}.",
            where=self.key,
        )


def integer(
    default: int,
    *,
    title: str,
    help: str,  # noqa: A002 - the table's own column name
    low: int,
    high: int,
    unit: str = "",
    effect: str = "",
    level: Level = Level.EXPERT,
) -> int:
    """Declare a whole-number option from low to high, both inclusive."""
    option = Option(
        kind=Kind.INTEGER,
        default=default,
        title=title,
        help=help,
        low=low,
        high=high,
        unit=unit,
        effect=effect,
        level=level,
    )
    return cast("int", _declared(option))


def number(
    default: float,
    *,
    title: str,
    help: str,  # noqa: A002 - the table's own column name
    low: float,
    high: float,
    unit: str = "",
    effect: str = "",
    level: Level = Level.EXPERT,
) -> float:
    """Declare a real-number option from low to high, both inclusive."""
    option = Option(
        kind=Kind.NUMBER,
        default=default,
        title=title,
        help=help,
        low=low,
        high=high,
        unit=unit,
        effect=effect,
        level=level,
    )
    return cast("float", _declared(option))


def choice(
    default: Choice,
    *,
    titles: Sequence[str],
    title: str,
    help: str,  # noqa: A002 - the table's own column name
    effect: str = "",
    level: Level = Level.EXPERT,
) -> Choice:
    """Declare an option that takes one member of the default's enumeration.

    Args:
        default: The member that a silent recipe has.
        titles: A label for each member, in their order.
        title: The option's label.
        help: What it does.
        effect: Its effect on memory.
        level: Who is shown it.
    """
    members = tuple(type(default))
    if len(members) != len(titles):
        message = f"{title}: {len(members)} choices but {len(titles)} titles"
        raise ValueError(message)
    option = Option(
        kind=Kind.CHOICE,
        default=default,
        title=title,
        help=help,
        choices=members,
        choice_titles=tuple(titles),
        effect=effect,
        level=level,
    )
    return cast("Choice", _declared(option))


def flag(
    *,
    default: bool,
    title: str,
    help: str,  # noqa: A002 - the table's own column name
    effect: str = "",
    level: Level = Level.EXPERT,
) -> bool:
    """Declare a yes-or-no option."""
    option = Option(
        kind=Kind.BOOLEAN,
        default=default,
        title=title,
        help=help,
        effect=effect,
        level=level,
    )
    return cast("bool", _declared(option))


def text(
    *,
    title: str,
    help: str,  # noqa: A002 - the table's own column name
    level: Level = Level.EXPERT,
    kind: Kind = Kind.TEXT,
) -> str:
    """Declare a text option, empty by default; `kind` may be `Kind.PATH`."""
    option = Option(kind=kind, default="", title=title, help=help, level=level)
    return cast("str", _declared(option))


def words(
    default: tuple[str, ...],
    *,
    title: str,
    help: str,  # noqa: A002 - the table's own column name
    effect: str = "",
) -> tuple[str, ...]:
    """Declare an option that holds a list of texts."""
    option = Option(
        kind=Kind.WORDS, default=default, title=title, help=help, effect=effect
    )
    return cast("tuple[str, ...]", _declared(option))


def collect(recipe_class: type) -> Mapping[str, Option]:
    """The option table of a recipe: its groups' declared fields, in order.

    Args:
        recipe_class: A dataclass whose fields are groups, each a dataclass whose
            fields were declared by this module's functions.

    Returns:
        The options by key, read-only.
    """
    table: dict[str, Option] = {}
    groups = get_type_hints(recipe_class)
    for group in fields(recipe_class):
        for declared in fields(groups[group.name]):
            key = f"{group.name}.{declared.name}"
            option = cast("Option", declared.metadata[_METADATA_KEY])
            table[key] = replace(option, key=key)
    return MappingProxyType(table)


def _declared(option: Option) -> object:
    return field(default=option.default, metadata={_METADATA_KEY: option})


def _split_words(typed: str) -> tuple[str, ...]:
    if typed.startswith("["):
        try:
            read = json.loads(typed)
        except json.JSONDecodeError:
            read = None
        if isinstance(read, list) and all(isinstance(word, str) for word in read):
            return tuple(read)
    return tuple(word.strip() for word in typed.split(",") if word.strip())


def _plain(bound: float | None) -> str:
    if bound is None:
        return "any"
    return f"{bound:,.0f}" if bound == int(bound) else f"{bound:g}"
