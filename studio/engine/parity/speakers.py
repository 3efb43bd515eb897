"""An exported model that is loaded, and can be asked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from studio.domain.dataset import Turn
from studio.engine.devices import Formats
from studio.engine.generation import answers
from studio.engine.model_loading import Model
from studio.engine.parity.dates import as_of_training
from studio.engine.parity.hearing import Counting, heard
from studio.engine.parity.listed import spread
from studio.engine.parity.llama_server import LlamaServer
from studio.engine.parity.texts import Text
from studio.engine.parity.words import AsOf, rendered
from studio.engine.tokenizer_loading import Tokenizer

PLAIN = Formats(torch.float32, torch.float32, torch.float32, autocast=False)
ANSWER_TOKENS = 48
_ROOM_STEP = 256
_WHOLE = "a"  # each tokenizer has a token of whole characters for it


def room_for(
    tokenizer: Tokenizer, texts: Sequence[Text], prompts: Sequence[str]
) -> int:
    """Tokens that the longest text takes, or the longest prompt with its answer."""
    asked = (rendered(tokenizer, [Turn("user", each)]) or [] for each in prompts)
    read = [len(text.ids) + 1 for text in texts]
    answered = [len(ids) + ANSWER_TOKENS for ids in asked]
    most = max([1, *read, *answered])
    return -(-most // _ROOM_STEP) * _ROOM_STEP


class Speaker(Protocol):
    """Says what a model expects and answers."""

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end an answer."""

    def expected(
        self,
        session: Counting,
        texts: Sequence[Text],
        trained: Sequence[torch.Tensor],
        stage: str,
    ) -> Iterator[torch.Tensor]:
        """Log-probabilities at the places of each text, places x vocabulary.

        Args:
            session: Told of progress.
            texts: What it reads.
            trained: What the trained model expects there.
            stage: For progress, in words.
        """

    def answers(self, prompts: Sequence[str]) -> Mapping[str, str]:
        """Greedy answers by prompt."""

    def asked(self, turns: Sequence[Turn]) -> list[int] | None:
        """A chat as tokens, ready to be answered; None where it is refused."""

    def asked_as_of(self, turns: Sequence[Turn], trained: str) -> AsOf | None:
        """The same as on the day that training wrote.

        Args:
            turns: The chat.
            trained: It as text, as it was rendered for training.

        Returns:
            None where it differs by more than by a date that this one writes.
        """


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in this process.

    Attributes:
        model: In fp32.
        tokenizer: Its own.
        ends: Tokens that end an answer.
    """

    model: Model
    tokenizer: Tokenizer
    ends: frozenset[int]

    def expected(
        self,
        session: Counting,
        texts: Sequence[Text],
        trained: Sequence[torch.Tensor],  # noqa: ARG002 - it tells of every word itself
        stage: str,
    ) -> Iterator[torch.Tensor]:
        """Of every word."""
        yield from heard(session, self.model, texts, stage)

    def answers(self, prompts: Sequence[str]) -> Mapping[str, str]:
        """Greedy answers by prompt."""
        said = answers(self.model, self.tokenizer, prompts, PLAIN, ANSWER_TOKENS)
        return dict(said)

    def asked(self, turns: Sequence[Turn]) -> list[int] | None:
        """By its own template and tokenizer."""
        return rendered(self.tokenizer, turns)

    def asked_as_of(self, turns: Sequence[Turn], trained: str) -> AsOf | None:  # noqa: ARG002
        """None: it writes the same dates as training."""
        return None


@dataclass(frozen=True, slots=True)
class ServedFile:
    """A file that llama-server has loaded.

    Attributes:
        server: It.
        ends: Tokens that end an answer.
    """

    server: LlamaServer
    ends: frozenset[int]

    def expected(
        self,
        session: Counting,
        texts: Sequence[Text],
        trained: Sequence[torch.Tensor],
        stage: str,
    ) -> Iterator[torch.Tensor]:
        """Of the likeliest words; the others are one."""
        pairs = list(zip(texts, trained, strict=True))
        whole = self.server.tokens(_WHOLE, adds=False)[-1]
        for text, ours in session.counted(pairs, stage, "texts"):
            rows = [
                spread(self.server.expected(text.ids[:place], whole), row)
                for place, row in zip(text.places, ours, strict=True)
            ]
            yield torch.stack(rows) if rows else ours

    def answers(self, prompts: Sequence[str]) -> Mapping[str, str]:
        """Greedy answers by prompt."""
        asked = {each: self.asked([Turn("user", each)]) for each in prompts}
        return {
            each: self.server.answer(ids, ANSWER_TOKENS) if ids else ""
            for each, ids in asked.items()
        }

    def asked(self, turns: Sequence[Turn]) -> list[int] | None:
        """By the file's own template and tokenizer, as llama.cpp reads them."""
        text = self.server.rendered(turns)
        return None if text is None else self.server.tokens(text)

    def asked_as_of(self, turns: Sequence[Turn], trained: str) -> AsOf | None:
        """Of what it renders, with the trained date in the place of today's.

        The date is put into the text, so that it needs no server that takes
        ``chat_template_kwargs``.
        """
        text = self.server.rendered(turns)
        dated = as_of_training(text, trained) if text else None
        if dated is None:
            return None
        return AsOf(self.server.tokens(dated.text), dated.date)
