"""A talk with an engine, without Qt: who is there, questions, answers, a file of all.

The terminal asks through `ChatEngine`; the window has `studio.services.playground`.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from studio.domain.chatting import (
    Answer,
    Conversation,
    Ended,
    Sampling,
    Voice,
    VoiceKind,
)
from studio.domain.errors import StudioError, refusal
from studio.protocol.answer_events import (
    AllAnswered,
    AnswerEnded,
    AnswerRefused,
    ChatReady,
)
from studio.protocol.codec import heard
from studio.protocol.commands import Ask, Asked, Stop, StopAnswer
from studio.protocol.events import EngineEvent
from studio.services.engine_process import EngineProcess
from studio.services.launch import engine_command
from studio.services.library import find_run, runs_in
from studio.services.model_places import store
from studio.services.process_outcome import Ordered, ProcessOutcome
from studio.storage.documents import write_bytes_atomically
from studio.storage.models import ModelPlace, ModelState
from studio.storage.run_directory import RunDirectory
from studio.storage.run_voices import voices_of

VERB: Final = "chat"
_BATCH_S: Final = 0.05
_END_S: Final = 5.0
Listener = Callable[[EngineEvent], None]


@dataclass(frozen=True, slots=True)
class ChatSource:
    """What can be talked to.

    Attributes:
        argument: Of the engine's verb.
        title: As people name it.
        voices: Who can answer.
    """

    argument: str
    title: str
    voices: tuple[Voice, ...]

    @classmethod
    def of_run(cls, run: RunDirectory) -> Self:
        """A run's.

        Raises:
            StudioError: Its recipe can't be read.
        """
        voices = voices_of(run, run.read_recipe())
        return cls(str(run.path), run.name, voices)

    @classmethod
    def of(cls, name: str) -> Self:
        """The run that is called so, or the model.

        Raises:
            StudioError: There is neither.
        """
        try:
            return cls.of_run(find_run(name))
        except StudioError as refused:
            if refused.finding.code not in {"run.unknown", "run.not-a-run"}:
                raise
            no_run = refused
        place = _model_here(name)
        if place is None:
            raise refusal(
                "chat.unknown",
                f"There is no run and no model “{name}” on this machine.",
                fix=no_run.finding.how_to_fix,
                where="RUN_OR_MODEL",
            )
        return cls(place.name, place.title, (Voice(VoiceKind.MODEL),))

    def chosen(self, words: Sequence[str]) -> tuple[Voice, ...]:
        """The voices that words name, each once.

        Raises:
            StudioError: A word names none, or one that isn't here.
        """
        chosen = dict.fromkeys(Voice.of(word) for word in words)
        has_examples = any(v.kind is VoiceKind.FEW_SHOT for v in self.voices)
        for voice in chosen:
            counted = has_examples and voice.kind is VoiceKind.FEW_SHOT
            if voice not in self.voices and not counted:
                raise refusal(
                    "chat.no-voice",
                    f"{self.title} has no {voice.word}.",
                    fix=f"Choose of {', '.join(each.word for each in self.voices)}.",
                    where="--voice",
                )
        return tuple(chosen)


def _model_here(name: str) -> ModelPlace | None:
    try:
        place = store().find(name)
    except StudioError:
        return None
    return None if place.state is ModelState.MISSING else place


def sources_in(project: Path) -> tuple[ChatSource, ...]:
    """The runs of a project that have something trained to talk to, newest first.

    Args:
        project: Its folder.
    """
    return tuple(_talkative(project))


def _talkative(project: Path) -> Iterator[ChatSource]:
    untrained = {VoiceKind.BASE, VoiceKind.FEW_SHOT}
    runs = sorted(runs_in(project), key=_began, reverse=True)
    for run in runs:
        try:
            source = ChatSource.of_run(run)
        except StudioError:
            continue  # the Runs page says what is wrong with it
        if any(voice.kind not in untrained for voice in source.voices):
            yield source


def _began(run: RunDirectory) -> float:
    try:
        return run.recipe_path.stat().st_mtime
    except OSError:
        return 0.0  # it is being deleted


def ask_for(
    order: int,
    talk: Conversation,
    voices: Sequence[Voice],
    question: str,
    sampling: Sampling,
) -> Ask:
    """The order by which voices answer a question, each behind its own talk."""
    asked = [Asked(voice=v.word, turns=talk.turns(v, question)) for v in voices]
    return Ask(
        order=order,
        asked=asked,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        repetition_penalty=sampling.repetition_penalty,
        max_new_tokens=sampling.max_new_tokens,
        seed=sampling.seed,
    )


def answer_of(event: AnswerEnded | AnswerRefused) -> Answer:
    """What an engine said a voice's answer to be."""
    match event:
        case AnswerEnded(text=text, tokens=tokens, ended=ended):
            return Answer(text, tokens, Ended(ended))
        case AnswerRefused(finding=finding):
            return Answer("", refusal=heard(finding).sentence())


def save_conversation(talk: Conversation, file: Path) -> None:
    """Write a talk, as JSON where the file is named so, else as Markdown.

    Raises:
        StudioError: The disk is full or may not be written.
    """
    if file.suffix.lower() == ".json":
        text = json.dumps(talk.as_document(), indent=2, ensure_ascii=False) + "\n"
    else:
        text = talk.as_markdown()
    write_bytes_atomically(file, text.encode("utf-8", "surrogatepass"))


class ChatEngine:
    """An engine that answers, for one thread.

    Use as a context manager, which starts it and ends it.
    """

    def __init__(self, source: ChatSource, command: Sequence[str] = ()) -> None:
        """Start nothing yet.

        Args:
            source: Who answers.
            command: Another command line, for tests.
        """
        line = command or engine_command(VERB, source.argument)
        self._engine = EngineProcess(line)
        self._order = -1

    def __enter__(self) -> Self:
        try:
            self._engine.start()
        except OSError:
            self._engine.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.send(Stop())
        until = time.monotonic() + _END_S
        while not self._engine.has_ended() and time.monotonic() < until:
            self._engine.read_batch(_BATCH_S)
        self._engine.close()

    def begin(self, listener: Listener) -> bool:
        """Wait until questions can be asked; whether they can.

        Args:
            listener: Is handed every event on the way.
        """
        return self._follow(listener, lambda event: isinstance(event, ChatReady))

    def ask(self, ask: Ask, listener: Listener) -> bool:
        """Have a question answered; whether the engine lived to do it.

        Args:
            ask: Its order is higher than that of any before.
            listener: Is handed every event, in order.
        """
        self._order = ask.order
        self._engine.send(ask)
        return self._follow(
            listener,
            lambda event: isinstance(event, AllAnswered) and event.order == ask.order,
        )

    def stop_answer(self) -> None:
        """End the answers under way; a signal's handler may call this."""
        self._engine.send(StopAnswer(order=self._order))

    def terminate(self) -> None:
        """End it without waiting for an answer."""
        self._engine.ordered = Ordered.TERMINATE
        self._engine.terminate()

    def outcome(self) -> ProcessOutcome:
        """How it ended."""
        return self._engine.outcome()

    def _follow(
        self, listener: Listener, is_last: Callable[[EngineEvent], bool]
    ) -> bool:
        while True:
            has_ended = self._engine.has_ended()
            for event in self._engine.read_batch(_BATCH_S):
                listener(event)
                if is_last(event):
                    return True
            if has_ended:
                return False
