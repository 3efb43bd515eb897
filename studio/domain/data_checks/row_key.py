"""What makes two rows the same: their words, but for spaces and capitals."""

from studio.domain.data_checks.check import CheckedRow
from studio.domain.dataset import Chat, Turn

_BITS = 0xFFFF_FFFF_FFFF_FFFF


def normal(text: str) -> str:
    """A text without what doesn't tell rows apart."""
    return " ".join(text.casefold().split())


def row_key(chat: Chat) -> int:
    """64 bits that are the same for rows that say the same, within one process.

    Two of a million different rows share them with a chance of 3 in 100 million.
    """
    said = tuple(map(_said, chat.turns))
    if chat.rejected or chat.tools or chat.text or chat.is_liked is not None:
        rejected = tuple(map(_said, chat.rejected))
        tools = repr(chat.tools) if chat.tools else ""
        return hash((said, rejected, tools, normal(chat.text), chat.is_liked)) & _BITS
    return hash(said) & _BITS


class RowKeys:
    """The keys of rows, for several checks that look at the same row in turn."""

    def __init__(self) -> None:
        self._row: CheckedRow | None = None
        self._key = 0

    def of(self, row: CheckedRow, chat: Chat) -> int:
        """The key of a row's chat."""
        if row is not self._row:
            self._row, self._key = row, row_key(chat)
        return self._key


def _said(turn: Turn) -> tuple[str, ...]:
    if turn.extras:
        return turn.role, normal(turn.content), repr(sorted(turn.extras.items()))
    return turn.role, normal(turn.content)
