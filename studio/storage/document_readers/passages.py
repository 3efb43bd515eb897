"""What the readers of text share: passages of a length that a small model can read."""

from collections.abc import Iterator
from typing import Final

from studio.domain.drafting import sentences_of
from studio.plugin_api.document_readers import Passage

CHARACTERS: Final = 1000
"""A passage has about as many; a blank line ends one of half as many."""

LONGEST: Final = 2 * CHARACTERS
_FEWEST_WORDS: Final = 5


def passages_of(text: str, line: int, heading: str = "") -> Iterator[Passage]:
    """A block of text as one passage, or cut at its sentences where it is too long.

    Args:
        text: Of the block.
        line: That it begins on; each of its passages tells it.
        heading: What it stands under.

    Yields:
        Passages of at most `LONGEST` characters; none of fewer than five words.
    """
    for piece in _pieces(text.strip()):
        if len(piece.split()) >= _FEWEST_WORDS or _is_dense(piece):
            yield Passage(piece, line, heading)


def _pieces(text: str) -> Iterator[str]:
    if len(text) <= LONGEST:
        yield text
        return
    held = ""
    for sentence in sentences_of(text):
        for part in _cut(sentence):
            if held and len(held) + len(part) >= CHARACTERS:
                yield held
                held = ""
            held = f"{held} {part}" if held else part
    if held:
        yield held


def _cut(sentence: str) -> Iterator[str]:
    """A sentence, in parts where it is none that a person wrote."""
    while len(sentence) > CHARACTERS:
        space = sentence.rfind(" ", 1, CHARACTERS)
        at = space if space > 0 else CHARACTERS
        yield sentence[:at]
        sentence = sentence[at:].lstrip()
    if sentence:
        yield sentence


def _is_dense(text: str) -> bool:
    """Whether it may be a text of a script without spaces, of some length."""
    return len(text.split()) < _FEWEST_WORDS < len(text) // _FEWEST_WORDS
