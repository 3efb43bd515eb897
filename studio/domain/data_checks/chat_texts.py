"""All words of a chat, to look through or to put others in their place."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from studio.domain.dataset import Chat, Turn

Mend = Callable[[str], str]
"""What stands in place of a text; the same text when nothing is to be mended."""


def texts_of(chat: Chat) -> Iterator[str]:
    """What its turns say, both answers of a pair and calls of tools included."""
    if chat.text:
        yield chat.text
    for turn in chat.turns:
        yield turn.content
        if turn.extras:
            yield from _strings(turn.extras)
    for turn in chat.rejected:
        yield turn.content
        if turn.extras:
            yield from _strings(turn.extras)


def with_texts(chat: Chat, mend: Mend) -> Chat:
    """The same chat in other words."""
    return replace(
        chat,
        text=mend(chat.text),
        turns=tuple(_mended(turn, mend) for turn in chat.turns),
        rejected=tuple(_mended(turn, mend) for turn in chat.rejected),
    )


def mended_value(value: object, mend: Mend) -> object:
    """A value as JSON has it, with each text in it mended."""
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, Mapping):
        return {key: mended_value(each, mend) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [mended_value(each, mend) for each in value]
    return value


def until_stable(text: str, step: Mend) -> str:
    """Mend a text until there is nothing left to mend.

    Args:
        text: Any.
        step: Shortens what it mends, or takes a character away for good.
    """
    while (mended := step(text)) != text:
        text = mended
    return text


def _mended(turn: Turn, mend: Mend) -> Turn:
    extras = turn.extras
    if extras:
        extras = {key: mended_value(value, mend) for key, value in extras.items()}
    return Turn(turn.role, mend(turn.content), extras)


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)
