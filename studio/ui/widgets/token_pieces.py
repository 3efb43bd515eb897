"""One example's tokens as a text: where each stands, and how it looks.

Whatever a file or a template holds is made harmless here: no character of it can hide,
turn the text round or break a line unseen.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from studio.domain.token_view import ShownToken, TokenUse, TokenView

MOST_TOKENS: Final = 4_000
"""More of a row are counted but not shown."""

_JOINERS: Final = frozenset("\u200c\u200d")  # parts of letters and of emojis
_VISIBLE: Final = {"\n": "↵\n", "\r": "␍", "\t": "⇥"}
_CONTROL_PICTURES: Final = 0x2400
_FIRST_PRINTABLE: Final = 0x20
_LARGEST_UNIT: Final = 0xFFFF


class Look(StrEnum):
    """How a token is drawn, in the order of the legend."""

    TRAINED = "trained"
    READ = "read"
    MARK = "mark"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Piece:
    """A token in the text.

    Attributes:
        start: Its first place, in UTF-16 units, as Qt counts.
        stop: The place behind its last.
        look: How it is drawn.
    """

    start: int
    stop: int
    look: Look


@dataclass(frozen=True, slots=True)
class PieceText:
    """The tokens of one example, laid end to end.

    Attributes:
        text: Printable, with line breaks where tokens have some.
        pieces: In order, without gaps.
    """

    text: str = ""
    pieces: Sequence[Piece] = ()

    def piece_at(self, place: int) -> int:
        """The number of the token at a place of the text; -1 without tokens."""
        if not self.pieces:
            return -1
        found = bisect_right(self.pieces, place, key=lambda piece: piece.start) - 1
        return max(0, found)


def look_of(token: ShownToken) -> Look:
    """How a token is drawn: first by what becomes of it."""
    if token.use is TokenUse.CUT:
        return Look.CUT
    if token.use is TokenUse.TRAINED:
        return Look.TRAINED
    return Look.MARK if token.is_mark else Look.READ


def counts_of(view: TokenView) -> dict[Look, int]:
    """How many tokens look so; together all of the row."""
    found = dict.fromkeys(Look, 0)
    for token in view.tokens:
        found[look_of(token)] += 1
    return found


def piece_text(view: TokenView) -> PieceText:
    """The first `MOST_TOKENS` tokens of an example, to be shown."""
    texts, pieces, at = [], [], 0
    for token in view.tokens[:MOST_TOKENS]:
        shown = visible(token.text) or "∅"
        stop = at + _units(shown)
        pieces.append(Piece(at, stop, look_of(token)))
        texts.append(shown)
        at = stop
    return PieceText("".join(texts), pieces)


def visible(text: str) -> str:
    """A text without a character that can't be seen or that moves others."""
    return text if text.isprintable() else "".join(map(_visible, text))


def token_words(view: TokenView, number: int, *, held_out: bool) -> str:
    """What is known of one token, in one line.

    Args:
        view: The example.
        number: Of the token, from 0.
        held_out: Whether its row is only measured with.
    """
    token = view.tokens[number]
    use = {
        TokenUse.TRAINED: "measured, not trained" if held_out else "trained",
        TokenUse.READ: "read, not trained",
        TokenUse.CUT: "cut off",
    }[token.use]
    mark = ", a format mark" if token.is_mark else ""
    text = visible(token.text).replace("\n", "")
    place = f"{number + 1:,} of {len(view.tokens):,}"
    return f"“{text}”: id {token.id:,}, {place}, {use}{mark}"


def _visible(character: str) -> str:
    if character in _VISIBLE:
        return _VISIBLE[character]
    if character.isprintable() or character in _JOINERS:
        return character
    if ord(character) < _FIRST_PRINTABLE:
        return chr(_CONTROL_PICTURES + ord(character))
    return f"‹U+{ord(character):04X}›"


def _units(text: str) -> int:
    return len(text) + sum(ord(c) > _LARGEST_UNIT for c in text)
