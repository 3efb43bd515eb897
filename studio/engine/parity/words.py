"""Whether two tokenizers make the same tokens of prompts, and end answers alike."""

from collections.abc import Sequence

from studio.domain.dataset import RowError, Turn
from studio.engine.parity.texts import tokens_of
from studio.engine.tokenizer_loading import Tokenizer


def other_prompts(
    trained: Tokenizer, exported: Tokenizer, prompts: Sequence[str]
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
    tokenizer: Tokenizer, trained: set[int], exported: set[int]
) -> tuple[str, ...]:
    """Words that end an answer of the trained model alone."""
    lost = sorted(trained - exported)
    return tuple(str(word) for word in tokenizer.convert_ids_to_tokens(lost))


def _tokens(tokenizer: Tokenizer, prompt: str) -> list[list[int] | None]:
    """Asked alone, and after an answer; None where the template refuses it."""
    chat = [Turn("user", prompt), Turn("assistant", "Yes."), Turn("user", prompt)]
    return [_rendered(tokenizer, chat[:1]), _rendered(tokenizer, chat)]


def _rendered(tokenizer: Tokenizer, turns: Sequence[Turn]) -> list[int] | None:
    try:
        return tokens_of(tokenizer, turns)
    except RowError:
        return None
