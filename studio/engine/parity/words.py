"""Whether two tokenizers make the same tokens of prompts, and end answers alike."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from studio.domain.dataset import RowError, Turn
from studio.engine.chat_rendering import render
from studio.engine.parity.texts import tokens_of
from studio.engine.tokenizer_loading import Tokenizer


class AsOf(NamedTuple):
    """A chat as on another day.

    Attributes:
        ids: Its tokens.
        date: That day, as the chat writes it.
    """

    ids: list[int]
    date: str


class Asked(Protocol):
    """Makes tokens of chats that are to be answered."""

    def asked(self, turns: Sequence[Turn]) -> list[int] | None:
        """A chat as tokens; None where it is refused."""

    def asked_as_of(self, turns: Sequence[Turn], trained: str) -> AsOf | None:
        """The same as on the day that training wrote; None where more differs."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """How prompts fared.

    Attributes:
        other: Those of which the two make other tokens, alone or in a longer chat.
        trained_date: What training wrote where the export writes today's date, all
            else being the same; empty where dates don't differ.
    """

    other: tuple[str, ...]
    trained_date: str = ""


def compare_prompts(
    tokenizer: Tokenizer, exported: Asked, prompts: Sequence[str]
) -> Prompts:
    """Whether an export makes the tokens of training.

    Args:
        tokenizer: Of training.
        exported: The export.
        prompts: What to try.
    """
    other, dates = [], []
    for prompt in prompts:
        found = list(_differences(tokenizer, exported, prompt))
        dates += [each for each in found if each]
        other += [prompt] if "" in found else []
    return Prompts(tuple(other), dates[0] if dates else "")


def _differences(tokenizer: Tokenizer, exported: Asked, prompt: str) -> Iterator[str]:
    """Of a prompt alone and after an answer: the trained date, or nothing else."""
    chat = [Turn("user", prompt), Turn("assistant", "Yes."), Turn("user", prompt)]
    for turns in (chat[:1], chat):
        trained = rendered(tokenizer, turns)
        if trained == exported.asked(turns):
            continue
        text = "" if trained is None else render(tokenizer, turns, asks=True)
        dated = exported.asked_as_of(turns, text)
        yield dated.date if dated is not None and dated.ids == trained else ""


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
