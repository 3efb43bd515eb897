"""What a model reads of one example, token by token, and which of it is learnt."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class TokenUse(StrEnum):
    """What becomes of a token in training."""

    TRAINED = "trained"
    READ = "read"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class ShownToken:
    """One token.

    Attributes:
        text: As it stands in the rendered text; a piece of a character shows as ``�``.
        id: In the model's vocabulary.
        use: What becomes of it.
        is_mark: Whether it is a special token, which no user types.
    """

    text: str
    id: int
    use: TokenUse
    is_mark: bool = False


@dataclass(frozen=True, slots=True)
class TokenView:
    """One example as the trainer gets it.

    Attributes:
        line: Of its row.
        tokens: All of them, those that are cut off included; of a very long row the
            first ones.
        refusal: Why nothing of it is trained; the end of a sentence. Empty when it is.
        more: How many tokens behind these are left out of a very long row.
    """

    line: int
    tokens: Sequence[ShownToken]
    refusal: str = ""
    more: int = 0

    def count(self, use: TokenUse) -> int:
        """How many tokens have this use."""
        return sum(token.use is use for token in self.tokens)
