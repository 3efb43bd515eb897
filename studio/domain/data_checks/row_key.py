"""What makes two rows the same: their words, but for spaces and capitals."""

from hashlib import blake2b

from studio.domain.dataset import Chat, Turn

_BYTES = 8


def normal(text: str) -> str:
    """A text without what doesn't tell rows apart."""
    return " ".join(text.casefold().split())


def row_key(chat: Chat) -> int:
    """64 bits that are the same for rows that say the same.

    Two of a million different rows share them with a chance of 3 in 100 million.
    """
    parts = [str(chat.is_liked), normal(chat.text)]
    parts += [_said(turn) for turn in chat.turns]
    if chat.rejected:
        parts += ["rejected", *map(_said, chat.rejected)]
    if chat.tools:
        parts.append(repr(chat.tools))
    return hashed("\0".join(parts))


def hashed(text: str) -> int:
    """64 bits of a text."""
    raw = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(raw, digest_size=_BYTES).digest())


def _said(turn: Turn) -> str:
    extras = repr(sorted(turn.extras.items())) if turn.extras else ""
    return f"{turn.role}\0{normal(turn.content)}\0{extras}"
