"""What mends a row: one deed for each code of a finding that can be mended.

Each deed is idempotent, and a row that it mended isn't found by its check any more.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from studio.domain.data_checks.chat_texts import Mend, with_texts
from studio.domain.data_checks.check import RowTokens
from studio.domain.data_checks.encoding import unmangled, without_controls
from studio.domain.data_checks.hash_set import HashSet
from studio.domain.data_checks.mended_codes import COPIES, TOKENS
from studio.domain.data_checks.row_key import row_key
from studio.domain.data_checks.sensitive import PERSONAL, SECRETS, without
from studio.domain.data_checks.turns import ordered, without_blank_turns
from studio.domain.dataset import Chat

TokensOf = Callable[[Chat], RowTokens]
"""Counts a row's tokens; raises a `RowError` when the model's template refuses it."""

TEXT_MENDS: Final[dict[str, Mend]] = {
    "data.encoding-damage": unmangled,
    "data.control-characters": without_controls,
    "data.personal": lambda text: without(text, PERSONAL),
    "data.secret": lambda text: without(text, SECRETS),
}
"""What is put in place of a text, by code."""


class Fix(Protocol):
    """Mends one row after the other."""

    def __call__(self, chat: Chat) -> Chat | None:
        """The row mended, the same row, or None when it is to be left out."""


@dataclass(frozen=True, slots=True)
class _Texts:
    """Mends what is said."""

    mend: Mend

    def __call__(self, chat: Chat) -> Chat | None:
        mended = with_texts(chat, self.mend)
        if mended == chat:
            return chat
        return mended if _says_something(mended) else None


class _First:
    """Leaves out what an earlier row says already."""

    def __init__(self, keys: Iterable[int] = ()) -> None:
        """Take the keys of rows that count as said already."""
        self._seen = HashSet(keys)

    def __call__(self, chat: Chat) -> Chat | None:
        return chat if self._seen.add(row_key(chat)) else None


@dataclass(frozen=True, slots=True)
class _Tokens:
    """Leaves out rows by their tokens."""

    tokens_of: TokensOf
    is_kept: Callable[[RowTokens], bool]

    def __call__(self, chat: Chat) -> Chat | None:
        return chat if self.is_kept(self.tokens_of(chat)) else None


TURN_MENDS: Final[dict[str, Fix]] = {
    "data.role-order": ordered,
    "data.empty-turn": without_blank_turns,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FixSettings:
    """What fixes depend on beside the rows.

    Attributes:
        length: The sequence length, in tokens.
        tokens_of: Counts tokens; None without a model.
        held_out: The keys of the rows of a second file that is held out.
    """

    length: int = 0
    tokens_of: TokensOf | None = None
    held_out: Iterable[int] = ()


def fix_of(code: str, settings: FixSettings) -> Fix | None:
    """The deed of a code.

    Args:
        code: Of `MENDED`.
        settings: What it depends on.

    Returns:
        A new one; None when rows of the code are left out anyway, and for `NEAR`,
        which needs to look at all rows first.
    """
    tokens_of, length = settings.tokens_of, settings.length
    if code in TEXT_MENDS:
        return _Texts(TEXT_MENDS[code])
    if code in TURN_MENDS:
        return TURN_MENDS[code]
    if code in COPIES:
        return _First(settings.held_out if code == "data.overlap" else ())
    if code in TOKENS and tokens_of is not None:
        return _Tokens(tokens_of, _kept_by(code, length))
    return None


def _kept_by(code: str, length: int) -> Callable[[RowTokens], bool]:
    """Which rows a code of tokens keeps; a row that isn't rendered has none."""
    match code:
        case "data.too-long":
            return lambda tokens: tokens.count <= length
        case "data.all-masked":
            return lambda tokens: tokens.trained > 0
        case _:
            return lambda _: True


def _says_something(chat: Chat) -> bool:
    """Whether there is still something to learn once characters were taken out."""
    if not chat.turns:
        return bool(chat.text.strip())
    return chat.turns != chat.rejected and all(
        turn.content.strip() or "tool_calls" in turn.extras
        for turns in (chat.turns, chat.rejected)
        for turn in turns
        if turn.role == "assistant"
    )
