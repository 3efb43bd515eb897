"""The talk that the Playground page shows: what was said, and what is being said."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from PySide6.QtCore import QCoreApplication, QObject, Signal, Slot

from studio.domain.chatting import Conversation, Sampling, Voice
from studio.domain.finding import Finding
from studio.protocol.answer_events import (
    AllAnswered,
    AnswerBegun,
    AnswerEnded,
    AnswerPiece,
    AnswerRefused,
)
from studio.protocol.events import EngineEvent, Progress
from studio.services.conversing import ChatSource, answer_of, ask_for
from studio.services.playground import Playground
from studio.ui.pages.playground.view_model import (
    NO_ANSWER,
    STARTS,
    WAITS,
    Pending,
    begun_note,
    ended_note,
)


class Talking(QObject):
    """Asks an engine, and keeps what it says.

    Attributes:
        engine: That answers; it is closed with the window.
        talk: What was said to the questions that are done with.
        pending: The question that is being answered; None while none is.

    Signals:
        talk_changed: More was said, or a question is done with.
        noted(object, str): What is to be noted of some `Voice`s.
        talk_failed(object): A `Finding`: why the engine is gone.
    """

    talk_changed = Signal()
    noted = Signal(object, str)
    talk_failed = Signal(object)

    def __init__(
        self, command_for: Callable[..., Sequence[str]], parent: QObject
    ) -> None:
        super().__init__(parent)
        self.engine = Playground(command_for=command_for, parent=self)
        self.talk = Conversation("")
        self.pending: Pending | None = None
        self._order = 0
        self.engine.event_arrived.connect(self._on_event)
        self.engine.talk_failed.connect(self._on_talk_failed)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.engine.close)

    def begin(self, source: str) -> None:
        """Begin a conversation, and forget the last one.

        Args:
            source: The run that is talked to, by its name.
        """
        self.pending = None
        self.talk = Conversation(source)
        self.talk_changed.emit()

    def ask(
        self,
        source: ChatSource,
        question: str,
        voices: tuple[Voice, ...],
        sampling: Sampling,
        system: str,
    ) -> None:
        """Ask voices; their answers are told by `talk_changed`.

        Args:
            source: Whose voices.
            question: Of the user.
            voices: Each once.
            sampling: How they answer.
            system: What precedes all.
        """
        self.talk = replace(self.talk, system=system)
        self._order += 1
        self.pending = Pending(self._order, question, voices, sampling)
        self.noted.emit(voices, STARTS)
        self.talk_changed.emit()
        self.engine.ask(
            source, ask_for(self._order, self.talk, voices, question, sampling)
        )

    @Slot()
    def free(self) -> None:
        """End the engine; what was said to the question under way is kept."""
        self.engine.close()
        self._finish()

    def _finish(self) -> None:
        pending, self.pending = self.pending, None
        if pending is not None:
            self.noted.emit(pending.unanswered(), "")
            self.talk = self.talk.with_round(pending.as_round())
        self.talk_changed.emit()

    @Slot(object)
    def _on_talk_failed(self, finding: Finding) -> None:
        self._finish()
        self.talk_failed.emit(finding)

    @Slot(object)
    def _on_event(self, event: EngineEvent) -> None:
        pending = self.pending
        if pending is None:
            return
        match event:
            case Progress(stage=stage, done=done, total=total) if total:
                share = min(1.0, done / total)
                self.noted.emit(pending.unanswered(), f"{stage}, {share:.0%}")
            case AnswerBegun(voice=word, read_tokens=tokens, examples=examples):
                self.noted.emit(pending.unanswered(), WAITS)
                self.noted.emit((Voice.of(word),), begun_note(tokens, examples))
            case AnswerPiece(voice=word, text=text):
                self.pending = pending.with_piece(Voice.of(word), text)
                self.talk_changed.emit()
            case AnswerEnded() | AnswerRefused():
                self._on_answered(pending, event)
            case AllAnswered(order=order) if order == pending.order:
                self._finish()
            case _:
                pass

    def _on_answered(
        self, pending: Pending, event: AnswerEnded | AnswerRefused
    ) -> None:
        voice = Voice.of(event.voice)
        self.pending = pending.with_answer(voice, answer_of(event))
        note = NO_ANSWER
        if isinstance(event, AnswerEnded):
            note = ended_note(event.tokens, event.seconds)
        self.noted.emit((voice,), note)
        self.talk_changed.emit()
