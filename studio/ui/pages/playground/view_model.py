"""What the Playground page shows, without a widget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from studio.domain.chatting import (
    Answer,
    Conversation,
    Ended,
    Round,
    Sampling,
    Voice,
    VoiceKind,
    default_voices,
)
from studio.ui.text import count
from studio.ui.widgets.finding_card import FindingKind, FindingText, Fix

_TALKATIVE: Final = (
    "A run can be talked to as soon as it has saved a checkpoint: beside its base, so "
    "that you hear what it learnt."
)
NOTHING_YET: Final = ("Nobody to talk to yet", _TALKATIVE)
TRAINING: Final = FindingText(
    kind=FindingKind.WARNING,
    what="A run is training on this device.",
    consequence="An answer loads a second model beside it. It takes memory that the "
    "run may need, and slows it down.",
    fixes=(Fix("ask", "Ask anyway"),),
)
WAITS: Final = "Waits for the other"
STARTS: Final = "Starting"
NO_ANSWER: Final = "No answer"
NOBODY: Final = "Nobody"
_BY_NOBODY: Final = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A question and what one voice said to it.

    Attributes:
        question: Of the user.
        text: Of the answer, as far as it is written.
        remark: What is to be known of it, such as that it was cut off.
        is_refused: Whether the remark says why there is no answer.
    """

    question: str
    text: str
    remark: str = ""
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Pending:
    """A question that is being answered.

    Attributes:
        order: Of the question.
        question: Of the user.
        voices: That were asked.
        sampling: In force.
        texts: What is written of each answer.
        answers: Those that are whole.
    """

    order: int
    question: str
    voices: tuple[Voice, ...]
    sampling: Sampling
    texts: Mapping[Voice, str] = field(default_factory=dict)
    answers: Mapping[Voice, Answer] = field(default_factory=dict)

    def unanswered(self) -> tuple[Voice, ...]:
        """The voices whose answers are still to come."""
        return tuple(voice for voice in self.voices if voice not in self.answers)

    def with_piece(self, voice: Voice, text: str) -> "Pending":
        """The same, more of an answer written."""
        told = self.texts.get(voice, "") + text
        return replace(self, texts={**self.texts, voice: told})

    def with_answer(self, voice: Voice, answer: Answer) -> "Pending":
        """The same, an answer whole or refused."""
        return replace(self, answers={**self.answers, voice: answer})

    def as_round(self) -> Round:
        """What came of it; voices that were cut short keep what they wrote."""
        answers = {}
        for voice in self.voices:
            written = Answer(self.texts.get(voice, "").strip(), ended=Ended.STOPPED)
            answers[voice] = self.answers.get(voice, written)
        return Round(self.question, answers, self.sampling)


def entries(
    talk: Conversation, pending: Pending | None, voice: Voice | None
) -> tuple[Entry, ...]:
    """What a voice was asked and said, in order."""
    if voice is None:
        return ()
    found = [
        _entry(each.question, each.answers[voice])
        for each in talk.rounds
        if voice in each.answers
    ]
    if pending is not None and voice in pending.voices:
        whole = pending.answers.get(voice)
        text = pending.texts.get(voice, "")
        being = Entry(pending.question, text)
        found.append(being if whole is None else _entry(pending.question, whole))
    return tuple(found)


def _entry(question: str, answer: Answer) -> Entry:
    remark = answer.refusal or answer.ended.remark
    if not (answer.text or remark):
        remark = "An empty answer."
    return Entry(question, answer.text, remark, is_refused=bool(answer.refusal))


def voice_choices(
    voices: Sequence[Voice], *, may_be_nobody: bool
) -> list[tuple[str, str]]:
    """The entries of a voice's list: its word and its title."""
    choices = [(voice.word, voice.title) for voice in voices]
    return [*choices, (_BY_NOBODY, NOBODY)] if may_be_nobody else choices


def first_voices(voices: Sequence[Voice]) -> tuple[str, str]:
    """Who speaks at the left and at the right until the user chooses others."""
    words = [voice.word for voice in default_voices(voices)]
    left, *others = words or [_BY_NOBODY]
    return left, others[0] if others else _BY_NOBODY


def chosen(word: str) -> Voice | None:
    """The voice of an entry of the list; None for nobody."""
    return Voice.of(word) if word else None


def begun_note(read_tokens: int, examples: int) -> str:
    """What is said of a voice that begins to answer."""
    before = f", {count(examples, 'example')} before it" if examples else ""
    return f"Reads {count(read_tokens, 'token')}{before}"


def ended_note(tokens: int, seconds: float) -> str:
    """What is said of an answer that is whole."""
    pace = f", {tokens / seconds:,.1f} a second" if seconds > 0 and tokens else ""
    return f"{count(tokens, 'token')}{pace}"


def facts_of(title: str, voices: Sequence[Voice]) -> str:
    """The header's line."""
    checkpoints = sum(voice.kind is VoiceKind.CHECKPOINT for voice in voices)
    kept = f" · {count(checkpoints, 'checkpoint')}" if checkpoints else ""
    return f"{title}{kept} · one model at a time"
