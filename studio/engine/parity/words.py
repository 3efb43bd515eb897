"""Whether two tokenizers make the same tokens of prompts, and end answers alike."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from studio.domain.dataset import RowError, Turn
from studio.engine.parity.texts import tokens_of
from studio.engine.tokenizer_loading import Tokenizer

Asked: TypeAlias = Callable[[Sequence[Turn]], list[int] | None]
"""Makes tokens of a chat that is to be answered; None where it is refused."""


def other_prompts(
    trained: Asked, exported: Asked, prompts: Sequence[str]
) -> tuple[str, ...]:
    """Prompts of which the two make other tokens, alone or in a longer chat."""
    return tuple(
        prompt
        for prompt in prompts
        if _tokens(trained, prompt) != _tokens(exported, prompt)
    )


def ends_of(tokenizer: Tokenizer, own: object) -> set[int]:
    """Tokens that end an answer.

    Args:
        tokenizer: Its end token is one.
        own: Of the model's settings for generation: one, several, or none.
    """
    listed = own if isinstance(own, list) else [own]
    ends = (*listed, tokenizer.eos_token_id)
    return {int(end) for end in ends if end is not None}


def lost_ends(
    tokenizer: Tokenizer,
    trained: Collection[int],
    exported: Collection[int],
) -> tuple[str, ...]:
    """Words that end an answer of the trained model alone."""
    lost = sorted(set(trained) - set(exported))
    return tuple(str(word) for word in tokenizer.convert_ids_to_tokens(lost))


def rendered(tokenizer: Tokenizer, turns: Sequence[Turn]) -> list[int] | None:
    """A chat as tokens by a tokenizer's own template; None where it is refused."""
    try:
        return tokens_of(tokenizer, turns)
    except RowError:
        return None


def _tokens(asked: Asked, prompt: str) -> list[list[int] | None]:
    """Asked alone, and after an answer."""
    chat = [Turn("user", prompt), Turn("assistant", "Yes."), Turn("user", prompt)]
    return [asked(chat[:1]), asked(chat)]
