"""One answer, token by token."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import torch
from transformers import LogitsProcessor, StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from studio.domain.chatting import Ended, Sampling
from studio.domain.dataset import RowError, Turn
from studio.domain.errors import refusal
from studio.engine.chat.stage import Speaker, limit_of
from studio.engine.chat_rendering import render
from studio.engine.decoding import decoding, ends_of
from studio.engine.tokenizer_loading import Tokenizer

_PIECES_EVERY_S: Final = 0.05
"""People read no faster, and each piece is decoded from the start of the answer."""
_HALF: Final = "�"


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer.

    Attributes:
        text: All of it, without the spaces around it.
        tokens: That it took, the one that ends it included.
        ended: Why it ended.
        seconds: That it took.
    """

    text: str
    tokens: int
    ended: Ended
    seconds: float


def read(speaker: Speaker, turns: Sequence[Turn]) -> list[int]:
    """A talk as the model reads it, up to where it answers.

    Raises:
        StudioError: The template refuses the talk.
    """
    try:
        text = render(speaker.tokenizer, turns, asks=True)
    except RowError as fault:
        raise refusal(
            "chat.refused",
            f"This conversation {fault}.",
            fix="Begin a new conversation, without a system message.",
        ) from fault
    encoded = speaker.tokenizer([text], add_special_tokens=False)
    return list(encoded["input_ids"][0])


def room_for(speaker: Speaker, tokens: int) -> int | None:
    """How many tokens an answer may take behind so many; None without a limit.

    Raises:
        StudioError: There is no room for a single one.
    """
    limit = limit_of(speaker.model)
    if limit is None or tokens < limit:
        return None if limit is None else limit - tokens
    raise refusal(
        "chat.context",
        f"This conversation takes {tokens:,} tokens, and the model reads at most "
        f"{limit:,}, its answer included.",
        fix="Begin a new conversation, or ask something shorter.",
    )


def speak(
    speaker: Speaker,
    ids: Sequence[int],
    sampling: Sampling,
    *,
    hear: Callable[[str], None],
    stops: Callable[[], bool],
) -> Spoken:
    """Answer.

    The random numbers start from the seed, so that an answer doesn't depend on those
    that were given before it.

    Args:
        speaker: Who.
        ids: What it reads.
        sampling: How tokens are drawn.
        hear: Is handed each piece of the answer as it is written.
        stops: Asked after each token whether the answer shall end there.

    Raises:
        StudioError: There is no room for an answer, or the model's numbers are none.
    """
    model, tokenizer = speaker.model, speaker.tokenizer
    room = room_for(speaker, len(ids))
    most = min(sampling.max_new_tokens, room or sampling.max_new_tokens)
    drawn = decoding(model, tokenizer, replace(sampling, max_new_tokens=most))
    device = next(model.parameters()).device
    asked = torch.tensor([list(ids)], device=device)
    ear, began = _Ear(tokenizer, hear), time.monotonic()
    torch.manual_seed(sampling.seed)
    generate = cast("Callable[..., Any]", model.generate)
    with torch.no_grad(), speaker.formats.casting(device):
        generate(
            input_ids=asked,
            attention_mask=torch.ones_like(asked),
            generation_config=drawn,
            streamer=ear,
            logits_processor=[_Sound()],
            stopping_criteria=[_Stops(stops)],
        )
    ended = _why(ear.ids, ends_of(model, tokenizer), most, sampling)
    return Spoken(ear.finish(), len(ear.ids), ended, time.monotonic() - began)


def _why(
    ids: Sequence[int], ends: frozenset[int], most: int, sampling: Sampling
) -> Ended:
    if ids and ids[-1] in ends:
        return Ended.BY_ITSELF
    if len(ids) < most:
        return Ended.STOPPED
    return Ended.LENGTH if most == sampling.max_new_tokens else Ended.CONTEXT


class _Ear(BaseStreamer):
    """Turns tokens into pieces of text as they are drawn.

    Attributes:
        ids: Of the answer so far.
    """

    def __init__(self, tokenizer: Tokenizer, hear: Callable[[str], None]) -> None:
        self.ids: list[int] = []
        self._tokenizer, self._hear = tokenizer, hear
        self._told = ""
        self._is_reading = True
        self._last = 0.0

    def put(self, value: torch.Tensor) -> None:
        """Take the next token; what comes first is the question."""
        if self._is_reading:
            self._is_reading = False
            return
        self.ids += value.flatten().tolist()
        if time.monotonic() - self._last >= _PIECES_EVERY_S:
            self._last = time.monotonic()
            self._tell(self._text())

    def end(self) -> None:
        """Nothing follows; `finish` tells the rest."""

    def finish(self) -> str:
        """Tell the rest, and give the whole answer."""
        whole = self._text()
        self._tell(whole, is_whole=True)
        return whole.strip()

    def _text(self) -> str:
        told = self._tokenizer.decode(self.ids, skip_special_tokens=True)
        return str(told).lstrip()

    def _tell(self, text: str, *, is_whole: bool = False) -> None:
        """Hand on what follows what was told, without a character's first half."""
        settled = text if is_whole else text.rstrip(_HALF)
        if settled.startswith(self._told) and settled != self._told:
            self._hear(settled[len(self._told) :])
            self._told = settled


class _Sound(LogitsProcessor):
    """Refuses to draw from numbers that are none.

    A card that is asked to can't be used by its process any more.
    """

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The same scores.

        Raises:
            StudioError: One is no number.
        """
        del input_ids
        if bool(torch.isnan(scores).any()):
            raise refusal(
                "chat.no-number",
                "The model expects no token at all: its numbers broke down.",
                why="One of its weights is no number, or too large for its format.",
                fix="Choose an earlier checkpoint.",
            )
        return scores


class _Stops(StoppingCriteria):
    """Ends an answer when it is told to."""

    def __init__(self, stops: Callable[[], bool]) -> None:
        self._stops = stops

    def __call__(
        self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: object
    ) -> torch.Tensor:
        """Whether each answer ends here."""
        del scores, kwargs
        rows = input_ids.shape[0]
        return torch.full((rows,), self._stops(), device=input_ids.device)
