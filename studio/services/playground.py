"""Talks with an engine beside the window; it lives until its memory is wanted.

Loading a model takes seconds, so one engine answers question after question. It ends
with `close`, with the window, and when it is told to serve another source.
"""

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.finding import error
from studio.protocol.answer_events import AllAnswered
from studio.protocol.codec import encode
from studio.protocol.commands import Ask, StopAnswer
from studio.protocol.events import EngineEvent, RunFailed
from studio.services.conversing import VERB, ChatSource
from studio.services.launch import engine_command
from studio.services.listening_engine import ListeningEngine

_SILENT: Final = error(
    "chat.silent",
    "The process that answers ended without a word.",
    why="The system may have ended it because memory ran out.",
    fix="Ask again; what was said so far is kept.",
)


class Playground(QObject):
    """One engine that answers, or none.

    Signals:
        event_arrived(object): Each `EngineEvent`, in order.
        talk_failed(object): A `Finding`: why the engine is gone.
        course_changed: It was started or ended, or began or ended to answer.
    """

    event_arrived = Signal(object)
    talk_failed = Signal(object)
    course_changed = Signal()

    def __init__(
        self,
        *,
        command_for: Callable[..., Sequence[str]] = engine_command,
        parent: QObject | None = None,
    ) -> None:
        """Start nothing yet.

        Args:
            command_for: From the verb and its arguments to an engine's command line.
            parent: Qt's owner.
        """
        super().__init__(parent)
        self._command_for = command_for
        self._engine = ListeningEngine(self)
        self._engine.event_arrived.connect(self._on_event)
        self._engine.engine_gone.connect(self._on_gone)
        self._argument = ""
        self._order: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is an engine, which may hold memory."""
        return self._engine.is_open

    @property
    def is_answering(self) -> bool:
        """Whether an answer is still to come."""
        return self._order is not None

    def ask(self, source: ChatSource, ask: Ask) -> None:
        """Ask, starting an engine where there is none of this source.

        Args:
            source: Who answers.
            ask: Its order is higher than that of any before.
        """
        if self._argument != source.argument:
            self._end()
        self._order = ask.order
        if not self.is_open:
            self._argument = source.argument
            self._engine.start(self._command_for(VERB, source.argument))
        self._engine.tell(encode(ask))
        self.course_changed.emit()

    @Slot()
    def stop_answer(self) -> None:
        """End the answers under way where they are."""
        if self._order is not None:
            self._engine.tell(encode(StopAnswer(order=self._order)))

    @Slot()
    def close(self) -> None:
        """End the engine and wait for it, so that its memory is free."""
        was_open = self.is_open
        self._end()
        if was_open:
            self.course_changed.emit()

    @Slot(object)
    def _on_event(self, event: EngineEvent) -> None:
        if isinstance(event, RunFailed):
            self._end()
            self.talk_failed.emit(error(event.kind, event.message, fix=event.advice))
            self.course_changed.emit()
            return
        is_last = isinstance(event, AllAnswered) and event.order == self._order
        if is_last:
            self._order = None
        self.event_arrived.emit(event)
        if is_last:
            self.course_changed.emit()

    @Slot()
    def _on_gone(self) -> None:
        self._order = None
        self.talk_failed.emit(_SILENT)
        self.course_changed.emit()

    def _end(self) -> None:
        self._order = None
        self._engine.end()
