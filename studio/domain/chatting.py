"""Who can be talked to, how answers are drawn, and what a comparison says.

A *voice* is one way to answer: the base, the base with examples as earlier turns, the
trained adapter or model, a checkpoint, a merged model.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from studio.domain.errors import refusal

EXAMPLES: Final = 3
"""How many examples the few-shot base gets, unless a number is named."""
MOST_EXAMPLES: Final = 64
_NUMBERED = re.compile(r"(few-shot|checkpoint)(?:-(\d{1,9}))?")


class VoiceKind(StrEnum):
    """What a voice answers with."""

    BASE = "base"
    FEW_SHOT = "few-shot"
    ADAPTER = "adapter"
    MODEL = "model"
    CHECKPOINT = "checkpoint"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Voice:
    """One way to answer.

    Attributes:
        kind: What it answers with.
        number: The step of a checkpoint, or how many examples; else 0.
    """

    kind: VoiceKind
    number: int = 0

    @classmethod
    def of(cls, word: str) -> Self:
        """The voice that a word means, such as ``base`` or ``checkpoint-40``.

        Raises:
            StudioError: It means none.
        """
        numbered = _NUMBERED.fullmatch(word)
        if numbered and (numbered[2] or numbered[1] == VoiceKind.FEW_SHOT):
            kind = VoiceKind(numbered[1])
            number = int(numbered[2] or EXAMPLES)
            if kind is VoiceKind.CHECKPOINT or 1 <= number <= MOST_EXAMPLES:
                return cls(kind, number)
        elif word in _PLAIN:
            return cls(VoiceKind(word))
        raise refusal(
            "chat.voice",
            f"“{word}” is no voice.",
            fix="Name base, few-shot, adapter, model, merged or checkpoint-N; "
            f"few-shot-N takes N examples, at most {MOST_EXAMPLES}.",
            where="--voice",
        )

    @property
    def word(self) -> str:
        """By which commands and the engine name it."""
        return f"{self.kind}-{self.number}" if self.number else self.kind.value

    @property
    def title(self) -> str:
        """As people read it."""
        match self.kind:
            case VoiceKind.BASE:
                return "Base"
            case VoiceKind.FEW_SHOT:
                many = "example" if self.number == 1 else "examples"
                return f"Base with {self.number} {many}"
            case VoiceKind.CHECKPOINT:
                return f"Step {self.number:,}"
            case VoiceKind.ADAPTER:
                return "Adapter"
            case VoiceKind.MODEL:
                return "Model"
            case VoiceKind.MERGED:
                return "Merged model"


_PLAIN = frozenset(
    {VoiceKind.BASE, VoiceKind.ADAPTER, VoiceKind.MODEL, VoiceKind.MERGED}
)


def default_voices(voices: Sequence[Voice]) -> tuple[Voice, ...]:
    """The base and the furthest of what was trained, of those that there are."""
    base = [voice for voice in voices if voice.kind is VoiceKind.BASE]
    trained = [voice for voice in voices if voice.kind in _TRAINED]
    best = max(trained, key=lambda v: (_TRAINED.index(v.kind), v.number), default=None)
    return (*base, *([best] if best else [])) or tuple(voices[:1])


# The last is what a run was for.
_TRAINED = (
    VoiceKind.MERGED,
    VoiceKind.CHECKPOINT,
    VoiceKind.MODEL,
    VoiceKind.ADAPTER,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is drawn.

    Attributes:
        temperature: Logits are divided by it; 0 takes the likeliest token always.
        top_p: Only the likeliest tokens of this summed probability are drawn from.
        top_k: Only so many of the likeliest are; 0 for all.
        repetition_penalty: Logits of tokens that were there already are weakened by
            it (Keskar et al., 2019); 1 leaves them.
        max_new_tokens: An answer is cut off there.
        seed: Of the random numbers; the same for each voice, whatever their order.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    max_new_tokens: int = 512
    seed: int = 0

    @property
    def draws(self) -> bool:
        """Whether chance plays a part."""
        return self.temperature > 0

    def check(self) -> Self:
        """Itself, if it can be answered with.

        Raises:
            StudioError: A number is out of bounds.
        """
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise refusal(
                    "chat.sampling",
                    f"{TITLES[name]} can’t be {value:g}.",
                    fix=f"Give a number from {least:g} to {most:g}.",
                    where=name,
                )
        return self

    def in_words(self) -> str:
        """The settings in one line."""
        cut = f"at most {self.max_new_tokens:,} tokens"
        penalty = self.repetition_penalty
        weakened = "" if penalty == 1 else f", repetition penalty {penalty:g}"
        if not self.draws:
            return f"Greedy{weakened}, {cut}"
        drawn = f"Temperature {self.temperature:g}"
        drawn += "" if self.top_p == 1 else f", top-p {self.top_p:g}"
        drawn += f", top-k {self.top_k}" if self.top_k else ""
        return f"{drawn}{weakened}, seed {self.seed}, {cut}"


TITLES: Final = {
    "temperature": "Temperature",
    "top_p": "Top-p",
    "top_k": "Top-k",
    "repetition_penalty": "Repetition penalty",
    "max_new_tokens": "Longest answer",
    "seed": "Seed",
}
BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "temperature": (0.0, 5.0),
    "top_p": (0.01, 1.0),
    "top_k": (0, 10_000),
    "repetition_penalty": (0.5, 5.0),
    "max_new_tokens": (1, 1_000_000),
    "seed": (0, 2**31 - 1),
}


class Ended(StrEnum):
    """Why an answer ended."""

    BY_ITSELF = "end"
    LENGTH = "length"
    CONTEXT = "context"
    STOPPED = "stopped"

    @property
    def remark(self) -> str:
        """What is to be known of an answer that didn't end by itself."""
        return {
            Ended.BY_ITSELF: "",
            Ended.LENGTH: "Cut off at the longest answer that is set.",
            Ended.CONTEXT: "Cut off: the model reads no more tokens than these.",
            Ended.STOPPED: "Stopped.",
        }[self]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a voice said, or why it said nothing.

    Attributes:
        text: Of the answer.
        tokens: That it took.
        ended: Why it ended.
        refusal: Why there is none; empty where there is one.
    """

    text: str
    tokens: int = 0
    ended: Ended = Ended.BY_ITSELF
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """One question and what the voices said to it.

    Attributes:
        question: Of the user.
        answers: By voice, in the order of the voices.
        sampling: In force then.
    """

    question: str
    answers: dict[Voice, Answer]
    sampling: Sampling


@dataclass(frozen=True, slots=True)
class Conversation:
    """A talk with several voices, each of which hears its own answers alone.

    Attributes:
        source: The run or model, by name.
        system: What precedes all; empty for nothing.
        rounds: In order.
    """

    source: str
    system: str = ""
    rounds: tuple[Round, ...] = field(default=())

    def turns(self, voice: Voice, question: str) -> list[tuple[str, str]]:
        """What a voice is to answer, (role, text), with what it said before.

        Questions that it did not answer are left out, for most chat templates refuse
        two in a row.
        """
        told = [("system", self.system)] if self.system else []
        for each in self.rounds:
            answer = each.answers.get(voice)
            if answer is not None and answer.text:
                told += [("user", each.question), ("assistant", answer.text)]
        return [*told, ("user", question)]

    def with_round(self, added: Round) -> "Conversation":
        """The same, one round longer."""
        return Conversation(self.source, self.system, (*self.rounds, added))

    def as_document(self) -> dict[str, object]:
        """For programs."""
        return {
            "source": self.source,
            "system": self.system,
            "rounds": [_document(each) for each in self.rounds],
        }

    def as_markdown(self) -> str:
        """For people."""
        lines = [f"# Answers of {self.source}"]
        if self.system:
            lines += ["", f"System: {self.system}"]
        for number, each in enumerate(self.rounds, 1):
            lines += ["", f"## {number}. Question", "", *_quoted(each.question)]
            lines += ["", f"*{each.sampling.in_words()}*"]
            for voice, answer in each.answers.items():
                lines += ["", f"### {voice.title}", "", answer.text or "(no answer)"]
                remark = answer.refusal or answer.ended.remark
                lines += ["", f"*{remark}*"] if remark else []
        return "\n".join(lines) + "\n"


def _document(told: Round) -> dict[str, object]:
    settings = {name: getattr(told.sampling, name) for name in TITLES}
    answers = [
        {
            "voice": voice.word,
            "text": answer.text,
            "tokens": answer.tokens,
            "ended": answer.ended.value,
            **({"refused": answer.refusal} if answer.refusal else {}),
        }
        for voice, answer in told.answers.items()
    ]
    return {"question": told.question, "sampling": settings, "answers": answers}


def _quoted(text: str) -> Iterable[str]:
    return (f"> {line}".rstrip() for line in text.splitlines() or [""])
