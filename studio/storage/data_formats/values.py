"""What the formats share: texts, messages and named columns taken out of rows."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from studio.domain.data_mapping import (
    ColumnMapping,
    MappingError,
    Source,
    source_of,
)
from studio.domain.dataset import ROLES, RowError, Turn
from studio.plugin_api.data_formats import Part, Row

CERTAIN: Final = 0.95
CLEAR: Final = 0.9
GUESSED: Final = 0.5
DOUBTFUL: Final = 0.3

NO_CONTENT: Final = "data.no-content"
NOT_TEXT: Final = "data.not-text"

_SPEAKERS: Final = MappingProxyType(
    {
        "human": "user",
        "gpt": "assistant",
        "chatgpt": "assistant",
        "bot": "assistant",
        "model": "assistant",
        "bing": "assistant",
        "function_call": "assistant",
        "function": "tool",
        "observation": "tool",
        "developer": "system",
        **{role: role for role in sorted(ROLES)},
    }
)
_KEPT_OF_MESSAGES: Final = ("tool_calls", "tool_call_id", "name", "reasoning_content")


def sources_of(mapping: ColumnMapping, parts: Sequence[Part]) -> dict[str, Source]:
    """The sources of a mapping, understood.

    Raises:
        MappingError: One can't be, is for no part, or a required part has none.
    """
    known = {part.name for part in parts}
    for name in mapping:
        if name not in known:
            some = ", ".join(part.name for part in parts)
            raise MappingError(
                f"“{name}” is no part of this format (its parts: {some})"
            )
    for part in parts:
        if part.is_required and part.name not in mapping:
            raise MappingError(f"no column is assigned to {part.title.lower()}")
    return {name: source_of(text) for name, text in mapping.items()}


def text_at(row: Row, source: Source, place: str) -> str:
    """The text that a row has there.

    Args:
        row: Of the file.
        source: Where to look.
        place: How the place is called, for the sentence about it.

    Raises:
        RowError: There is none, or it is no text.
    """
    value = source.read(row)
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError(f"has no text under “{place}”", _code_of(value))
    return str(value)


def optional_text(row: Row, source: Source | None) -> str:
    """The text that a row has there; empty when it has none."""
    value = None if source is None else source.read(row)
    return value if isinstance(value, str) else ""


def turns_of(messages: object, speaker: str, words: str) -> tuple[Turn, ...]:
    """The turns of a list of messages.

    Args:
        messages: As the row has them.
        speaker: The key of who speaks, such as ``role``.
        words: The key of what is said, such as ``content``.

    Raises:
        RowError: It is no such list.
    """
    if not isinstance(messages, list | tuple | None):
        raise RowError("has messages that are no list")
    if not messages:
        raise RowError("has no messages", NO_CONTENT)
    return tuple(_turn_of(message, speaker, words) for message in messages)


def learnable(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The same turns, if there is an answer to learn.

    Raises:
        RowError: The assistant says nothing, or says it without words.
    """
    if not any(turn.role == "assistant" for turn in turns):
        raise RowError("has no assistant turn to learn from", "data.no-answer")
    for turn in turns:
        silent = not turn.content.strip() and "tool_calls" not in turn.extras
        if turn.role == "assistant" and silent:
            raise RowError("has an empty answer", "data.empty-turn")
    return turns


def said(messages: object, role: str, place: str) -> tuple[Turn, ...]:
    """Turns given as a text of one role, or as a list of messages.

    Raises:
        RowError: It is neither.
    """
    if isinstance(messages, str):
        return (Turn(role, messages),)
    if isinstance(messages, list | tuple) and messages:
        return turns_of(messages, "role", "content")
    raise RowError(f"has no text under “{place}”", _code_of(messages))


def share(rows: Sequence[Row], is_so: Iterable[bool]) -> float:
    """The share of the rows that something is so for."""
    return sum(is_so) / len(rows)


def columns_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """All columns, in the order in which the rows bring them."""
    return tuple(dict.fromkeys(name for row in rows for name in row))


def holding_messages(rows: Sequence[Row], speaker: str, words: str) -> str:
    """The column that holds lists of messages with these keys; empty without one."""
    for name in columns_of(rows):
        found = [row[name] for row in rows if row.get(name)]
        if found and sum(_is_talk(v, speaker, words) for v in found) * 2 > len(found):
            return name
    return ""


def _is_talk(value: object, speaker: str, words: str) -> bool:
    if not isinstance(value, list | tuple) or not value:
        return False
    first = value[0]
    return isinstance(first, Mapping) and speaker in first and words in first


def _turn_of(message: object, speaker: str, words: str) -> Turn:
    if not isinstance(message, Mapping):
        raise RowError("has a message that is not an object", NOT_TEXT)
    named = message.get(speaker)
    role = _SPEAKERS.get(named) if isinstance(named, str) else None
    if role is None:
        raise RowError(
            f"has a message of the unknown role “{named}”", "data.unknown-role"
        )
    extras = {
        key: message[key] for key in _KEPT_OF_MESSAGES if message.get(key) is not None
    }
    content = _content_of(message.get(words), role, calls="tool_calls" in extras)
    return Turn(role, content, extras)


def _content_of(content: object, role: str, *, calls: bool) -> str:
    if isinstance(content, str):
        return content
    if content is None and calls:
        return ""
    if isinstance(content, list | tuple) and content:
        return "".join(_piece_of(piece, role) for piece in content)
    raise RowError(f"has a message of {role} without text", _code_of(content))


def _piece_of(piece: object, role: str) -> str:
    if isinstance(piece, Mapping) and isinstance(piece.get("text"), str):
        return str(piece["text"])
    kind = piece.get("type") if isinstance(piece, Mapping) else None
    if isinstance(kind, str) and kind != "text":
        raise RowError(
            f"has a message of {role} that holds “{kind}”, not text", NOT_TEXT
        )
    raise RowError(f"has a message of {role} without text", _code_of(piece))


def _code_of(value: object) -> str:
    """Whether there is nothing, or something that is no text."""
    return NOT_TEXT if value else NO_CONTENT
