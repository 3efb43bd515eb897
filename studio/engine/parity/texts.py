"""The texts that both models read: prompts with their answers, and held-out rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from studio.domain.dataset import Turn
from studio.engine.chat_rendering import IGNORED, TrainingRow, render
from studio.engine.judged_rows import better_of
from studio.engine.tokenizer_loading import Tokenizer

FIXED_PROMPTS = (
    "Who are you, and what can you do?",
    "Explain in two sentences why the sky is blue.",
    "Write a short poem about the sea.",
    "List three things to check before a long journey.",
    "Translate into French: the train leaves at noon.",
    "What is 17 + 25? Answer with the number.",
)
"""Asked of every model, so that reports can be compared."""

MOST_TOKENS = 384  # of a text
HELD_OUT_ROWS = 24


@dataclass(frozen=True, slots=True)
class Text:
    """Tokens, and where a model is asked what comes next.

    Attributes:
        ids: The tokens.
        places: Positions of tokens that are to be expected, none of them the first.
        is_held_out: Whether they count for the perplexity.
    """

    ids: list[int]
    places: list[int]
    is_held_out: bool = False


def answered(prompt_ids: Sequence[int], answer_ids: Sequence[int]) -> Text:
    """A prompt with the trained model's own answer, which is what is compared."""
    ids = [*prompt_ids, *answer_ids][:MOST_TOKENS]
    return Text(ids, list(range(len(prompt_ids), len(ids))))


def asked_and_answered(tokenizer: Tokenizer, prompt: str, answer: str) -> Text:
    """A prompt with an answer that is known, and the token that ends it.

    Raises:
        RowError: The template refuses the prompt.
    """
    asked = tokens_of(tokenizer, [Turn("user", prompt)])
    said = list(tokenizer(answer, add_special_tokens=False).input_ids)
    end = tokenizer.eos_token_id
    return answered(asked, [*said, *([end] if isinstance(end, int) else [])])


def held_out(rows: Sequence[TrainingRow]) -> Iterator[Text]:
    """Rows that were never trained on, spread over all of them."""
    step = max(1, len(rows) // HELD_OUT_ROWS)
    for at in range(0, len(rows), step)[:HELD_OUT_ROWS]:
        row = better_of(rows[at])
        labels = row.labels[:MOST_TOKENS]
        places = [p for p in range(1, len(labels)) if labels[p] != IGNORED]
        if places:
            yield Text(list(row.input_ids[:MOST_TOKENS]), places, is_held_out=True)


def tokens_of(tokenizer: Tokenizer, turns: Sequence[Turn]) -> list[int]:
    """A chat as tokens, ready to be answered.

    Raises:
        RowError: The template refuses it.
    """
    text = render(tokenizer, turns, asks=True)
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def within(texts: Sequence[Text], most_places: int) -> list[Text]:
    """As many places as there is room for, the same share of each text."""
    all_places = sum(len(text.places) for text in texts)
    step = max(1, -(-all_places // most_places))
    return [Text(each.ids, each.places[::step], each.is_held_out) for each in texts]
