"""What an options form shows: plain rows, built by a view model."""

from dataclasses import dataclass
from enum import StrEnum

from studio.domain.errors import StudioError
from studio.domain.options import Kind, Option, Value


class SetBy(StrEnum):
    """Who set a value."""

    RECOMMENDED = "Recommended"
    YOURS = "Yours"
    ONLY_ONE = "Only one here"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionRow:
    """One option with its present value.

    Attributes:
        option: Its row of the option table.
        value: The value in force.
        set_by: Who set it.
        effect_bytes: What it saves (negative) or costs, None when unknown.
        error: Why the value is refused elsewhere, such as by another option.
    """

    option: Option
    value: Value
    set_by: SetBy = SetBy.RECOMMENDED
    effect_bytes: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What came of a text that a person typed.

    Attributes:
        value: The value; None when the text was refused.
        error: Why it was refused, and what is accepted.
    """

    value: Value | None
    error: str = ""


def read_entry(option: Option, typed: str) -> Entry:
    """Read what was typed; a refusal becomes a sentence."""
    try:
        return Entry(option.parse(typed))
    except StudioError as refused:
        found = refused.finding
        return Entry(None, f"{found.what} {found.how_to_fix}".strip())


def value_words(option: Option, value: Value) -> str:
    """A value as the form shows it, with its unit and its choice's title."""
    match option.kind, value:
        case Kind.BOOLEAN, bool():
            return "On" if value else "Off"
        case Kind.CHOICE, str():
            return dict(choices_of(option)).get(str(value), str(value))
        case Kind.INTEGER, int():
            unit = option.unit.removesuffix("s") if value == 1 else option.unit
            return f"{value:,} {unit}".strip()
        case _:
            return f"{option.show(value)} {option.unit}".strip()


def choices_of(option: Option) -> list[tuple[str, str]]:
    """Value and text of each entry of a drop-down list; empty for typed values."""
    if option.kind is Kind.BOOLEAN:
        return [("true", "On"), ("false", "Off")]
    return [
        (str(choice), title)
        for choice, title in zip(option.choices, option.choice_titles, strict=True)
    ]


def matches(row: OptionRow, words: str) -> bool:
    """Whether each of the words occurs in the row's title, key, value or help."""
    option = row.option
    text = f"{option.title} {option.key} {option.help} "
    text += value_words(option, row.value)
    return all(word in text.lower() for word in words.lower().split())
