"""The verb chat: answers questions, voice after voice, until its input ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from studio.domain.chatting import Sampling, Voice, VoiceKind
from studio.domain.dataset import Turn
from studio.domain.errors import ExitCode, StudioError, refusal
from studio.domain.finding import Finding, error
from studio.domain.pauses import OUT_OF_MEMORY
from studio.engine.chat.examples import examples_of, preceded
from studio.engine.chat.source import Source
from studio.engine.chat.speaking import read, room_for, speak
from studio.engine.chat.stage import Speaker, Stage
from studio.engine.failures import is_out_of_memory, put_into_words
from studio.engine.session import Session
from studio.protocol.answer_events import (
    AllAnswered,
    AnswerBegun,
    AnswerEnded,
    AnswerPiece,
    AnswerRefused,
    ChatReady,
)
from studio.protocol.codec import told
from studio.protocol.commands import Ask, Asked

_PATIENCE_S: Final = 0.2
# A shorter answer than this would be cut off by examples that need not be there.
_LEAST_ROOM: Final = 64


def chat(session: Session, source: Source) -> None:
    """Answer questions until the order to stop, or the end of the input.

    Args:
        session: Where questions come from, and answers go to.
        source: Who can answer.

    Raises:
        StudioError: The source's model can't be read.
    """
    talk = Talk(session, Stage(session, source))
    words = [voice.word for voice in source.voices]
    session.say(ChatReady(voices=words, most_tokens=talk.stage.most_tokens))
    while not session.orders.stop_is_ordered:
        ask = session.orders.next_question(_PATIENCE_S)
        if ask is not None:
            talk.answer(ask)


@dataclass(frozen=True, slots=True)
class Talk:
    """Answers one question after the other.

    Attributes:
        session: Where answers go to.
        stage: Where voices speak.
    """

    session: Session
    stage: Stage

    def answer(self, ask: Ask) -> None:
        """Let each voice answer; one that can't doesn't keep the others from it."""
        asked: dict[Voice, Asked] = {}
        for each in ask.asked:
            try:
                asked[self._voice_of(each.voice)] = each
            except StudioError as refused:
                self._refuse(ask, each.voice, refused.finding)
        for voice in self.stage.in_good_order(list(asked)):
            if self._is_over(ask):
                break
            self._answer_or_refuse(ask, voice, asked[voice].turns)
        self.session.say(AllAnswered(order=ask.order))

    def _answer_or_refuse(
        self, ask: Ask, voice: Voice, turns: Sequence[tuple[str, str]]
    ) -> None:
        try:
            self._answer(ask, voice, [Turn(role, text) for role, text in turns])
        except StudioError as refused:
            finding = refused.finding
        except Exception as fault:
            if not is_out_of_memory(fault):
                raise
            finding = _out_of_memory(fault)
        else:
            return
        # Only here is what the fault's traceback held let go of.
        if finding.code == OUT_OF_MEMORY:
            self.stage.clear()
        self._refuse(ask, voice.word, finding)

    def _answer(self, ask: Ask, voice: Voice, turns: list[Turn]) -> None:
        say, order, word = self.session.say, ask.order, voice.word
        sampling = _sampling_of(ask).check()
        with self.stage.speaker(voice) as speaker:
            examples = self._examples(speaker, voice, turns)
            ids = read(speaker, preceded(turns, examples))
            room_for(speaker, len(ids))
            say(
                AnswerBegun(
                    order=order,
                    voice=word,
                    read_tokens=len(ids),
                    examples=len(examples),
                )
            )
            spoken = speak(
                speaker,
                ids,
                sampling,
                hear=lambda text: say(AnswerPiece(order=order, voice=word, text=text)),
                stops=lambda: self._is_over(ask),
            )
        say(
            AnswerEnded(
                order=order,
                voice=word,
                text=spoken.text,
                tokens=spoken.tokens,
                ended=spoken.ended.value,
                seconds=spoken.seconds,
            )
        )

    def _examples(
        self, speaker: Speaker, voice: Voice, turns: list[Turn]
    ) -> list[tuple[Turn, ...]]:
        """As many as are wanted, and leave room for an answer."""
        if voice.kind is not VoiceKind.FEW_SHOT:
            return []
        found = examples_of(self.stage.source.recipe, voice.number)
        while len(found) > 1 and not _leaves_room(speaker, preceded(turns, found)):
            found.pop()
        return found

    def _voice_of(self, word: str) -> Voice:
        voice = Voice.of(word)
        there = self.stage.source.voices
        counted = {voice.kind for voice in there} & {VoiceKind.FEW_SHOT}
        if voice in there or voice.kind in counted:
            return voice
        raise refusal(
            "chat.no-voice",
            f"There is no {word} here.",
            fix=f"Choose of {', '.join(each.word for each in there)}.",
        )

    def _is_over(self, ask: Ask) -> bool:
        orders = self.session.orders
        return orders.stop_is_ordered or orders.stopped_question >= ask.order

    def _refuse(self, ask: Ask, word: str, finding: Finding) -> None:
        refused = AnswerRefused(order=ask.order, voice=word, finding=told(finding))
        self.session.say(refused)


def _leaves_room(speaker: Speaker, turns: list[Turn]) -> bool:
    try:
        room = room_for(speaker, len(read(speaker, turns)))
    except StudioError as refused:
        if refused.finding.code != "chat.context":
            raise
        return False
    return room is None or room >= _LEAST_ROOM


def _sampling_of(ask: Ask) -> Sampling:
    return Sampling(
        temperature=ask.temperature,
        top_p=ask.top_p,
        top_k=ask.top_k,
        repetition_penalty=ask.repetition_penalty,
        max_new_tokens=ask.max_new_tokens,
        seed=ask.seed,
    )


def _out_of_memory(fault: Exception) -> Finding:
    failure = put_into_words(fault)
    assert failure.exit_code is ExitCode.OUT_OF_MEMORY
    return error(
        OUT_OF_MEMORY,
        failure.word.message,
        fix="Free memory that other programs hold, begin a new conversation, or let "
        "the answer be shorter.",
    )
