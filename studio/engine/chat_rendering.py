"""Chats become tokens, and the assistant's part of them becomes labels.

Only what the assistant says is learnt, up to and including the token that ends its
turn. Chat templates rarely mark that part, so it is found in the rendered text: an
answer begins where the template's own generation prompt ends, as it will when the
model is asked, and ends behind the special token that follows the answer's text. No
template is changed, so what is trained is what is rendered later.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from studio.domain.dataset import Chat, RowError, Turn
from studio.engine.model_loading import Tokenizer

IGNORED = -100


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One chat as the trainer takes it.

    Attributes:
        input_ids: Its tokens.
        labels: The same, `IGNORED` where nothing is learnt.
        ends: Whether every answer is followed by a token that ends it.
    """

    input_ids: list[int]
    labels: list[int]
    ends: bool = True

    @property
    def trained_tokens(self) -> int:
        """Tokens that are learnt; the first of a row is never predicted."""
        return sum(label != IGNORED for label in self.labels[1:])

    def cut(self, length: int) -> "TrainingRow":
        """The first `length` tokens of it."""
        return TrainingRow(self.input_ids[:length], self.labels[:length], self.ends)


@dataclass(frozen=True, slots=True)
class _Span:
    """A part of the text, in characters; `ends` when a special token closes it."""

    start: int
    stop: int
    ends: bool


def render(
    tokenizer: Tokenizer,
    turns: Sequence[Turn],
    *,
    asks: bool = False,
    tools: Sequence[Mapping[str, object]] = (),
) -> str:
    """A chat as text, by the model's own template.

    Args:
        tokenizer: Holds the template.
        turns: The chat.
        asks: End with the words after which the model answers.
        tools: That the assistant may call.

    Raises:
        RowError: The template refuses this chat.
    """
    messages: Any = [turn.as_message() for turn in turns]
    offered: Any = list(tools) or None
    try:
        return str(
            tokenizer.apply_chat_template(
                messages,
                tokenize=False,
                add_generation_prompt=asks,
                tools=offered,
            )
        )
    except TemplateError as fault:
        raise RowError(f"is refused by the chat template: {fault}") from fault


def training_row(tokenizer: Tokenizer, chat: Chat) -> TrainingRow:
    """Render a chat and label what the assistant says in it; of a text, all.

    Raises:
        RowError: The template refuses the chat, or rewrites an answer.
    """
    if chat.is_liked is False:
        raise RowError("is rated as bad, and nothing shall be learnt from it")
    if chat.text:
        return _text_row(tokenizer, chat.text)
    text = render(tokenizer, chat.turns, tools=chat.tools)
    spans = _answers(tokenizer, chat, text)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
    labels = [
        token if _within(start, stop, spans) else IGNORED
        for token, (start, stop) in zip(ids, offsets, strict=True)
    ]
    return TrainingRow(list(ids), labels, all(span.ends for span in spans))


def _text_row(tokenizer: Tokenizer, text: str) -> TrainingRow:
    ids = list(tokenizer(text)["input_ids"])
    end = tokenizer.eos_token_id
    if end is not None and ids[-1:] != [end]:
        ids.append(end)
    return TrainingRow(ids, list(ids), ends=end is not None)


def _answers(tokenizer: Tokenizer, chat: Chat, text: str) -> list[_Span]:
    spans: list[_Span] = []
    special = _any_special_token(tokenizer)
    cursor = 0
    for number, turn in enumerate(chat.turns):
        words = turn.content.strip()
        if turn.role == "assistant":
            start = _start(tokenizer, chat, number, text, cursor)
            found = text.find(words, start)
            if found < 0:
                raise RowError("has an answer that the chat template rewrites")
            behind = found + len(words)
            until_here = _begin(tokenizer, chat, number + 1)
            so_far = _common_length(until_here, text)
            stop = _end_of_turn(special, text, behind, so_far)
            spans.append(_Span(start if number else found, stop, stop > behind))
            cursor = stop
        elif (at := text.find(words, cursor)) >= 0:
            # Stepped over, so that an answer isn't found inside a question.
            cursor = at + len(words)
    return spans


def _end_of_turn(special: re.Pattern[str], text: str, behind: int, so_far: int) -> int:
    """Where a turn ends: behind the special tokens that follow its words.

    Args:
        special: One special token.
        text: The whole chat.
        behind: Where the words end.
        so_far: How much of the text the chat has that ends with this turn; what
            follows belongs to the next turn.

    Returns:
        `behind` itself, when no special token follows.
    """
    stop = behind
    while found := special.match(text, stop):
        if stop > behind and found.end() > so_far:
            break
        stop = found.end()
    return stop


def _start(
    tokenizer: Tokenizer, chat: Chat, number: int, text: str, cursor: int
) -> int:
    """Where the template has the model begin to speak its turn of this number."""
    if not number:
        return cursor
    asked = _begin(tokenizer, chat, number, asks=True)
    return max(cursor, _common_length(asked, text))


def _begin(tokenizer: Tokenizer, chat: Chat, turns: int, *, asks: bool = False) -> str:
    """The first turns of a chat, rendered."""
    return render(tokenizer, chat.turns[:turns], asks=asks, tools=chat.tools)


def _common_length(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    differs = (at for at, (left, right) in pairs if left != right)
    return next(differs, min(len(one), len(other)))


def _any_special_token(tokenizer: Tokenizer) -> re.Pattern[str]:
    """Matches one special token, and the space before it."""
    added = tokenizer.added_tokens_decoder.values()
    names = {token.content for token in added if token.special and token.content}
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(rf"\s*(?:{'|'.join(map(re.escape, longest_first)) or '(?!)'})")


def _within(start: int, stop: int, spans: Sequence[_Span]) -> bool:
    return start < stop and any(s.start <= start and stop <= s.stop for s in spans)
