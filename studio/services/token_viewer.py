"""The tokens of whichever row the user looks at, told by an engine that stays alive.

Loading a tokenizer takes a second or two, so one engine answers row after row; it is
started with the first question about a data set and a model, and ends with the window.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from studio.domain.dataset import ChatFile
from studio.domain.errors import StudioError
from studio.domain.finding import Finding, error
from studio.domain.recipe import Recipe
from studio.protocol.codec import encode, heard
from studio.protocol.commands import ShowRow
from studio.protocol.data_events import RowNotShown, RowShown
from studio.protocol.data_words import heard_view
from studio.protocol.events import EngineEvent, RunFailed
from studio.services.background import unexpected
from studio.services.inspections import InspectionOrder
from studio.services.launch import engine_command
from studio.services.listening_engine import ListeningEngine
from studio.storage.chat_files import StoredChats

VERB: Final = "show-rows"
PATIENCE_MS: Final = 120_000
"""A model that is still packed gives its tokenizer in half a minute, and only once."""
_END_MS: Final = 3_000
_MOST_STARTS: Final = 2
_SILENT: Final = error(
    "tokens.silent",
    "The process that counts tokens ended without a word.",
    fix="Choose the row again.",
)
_SLOW: Final = error(
    "tokens.slow",
    "The tokens of this row were not told in two minutes.",
    fix="Choose the row again, or a shorter one.",
)


@dataclass(frozen=True, slots=True)
class RowQuestion:
    """Which row's tokens are wanted.

    Attributes:
        subject: The data, and the model whose tokenizer counts.
        line: Of the row.
        file: Its file's name within a folder; empty for a single file.
        place: Where it lies; None when only its line is known.
        length: The sequence length, in tokens.
    """

    subject: InspectionOrder
    line: int
    file: str
    place: int | None
    length: int

    @classmethod
    def about(cls, file: ChatFile, at: int, recipe: Recipe) -> Self:
        """The question about a row of a file.

        Args:
            file: That the recipe learns from.
            at: The row's place among `ChatFile.chats`.
            recipe: Names data, model and sequence length.

        Raises:
            StudioError: The row can't be read any more.
        """
        chat = file.chats[at]
        chats = file.chats
        place = chats.place_of(at) if isinstance(chats, StoredChats) else None
        length = recipe.train.sequence_length
        subject = InspectionOrder.of(recipe)
        return cls(subject, chat.line, chat.file, place, length)

    def is_about(self, other: "RowQuestion | None") -> bool:
        """Whether one engine can answer both."""
        return other is not None and self._deciding() == other._deciding()

    def _deciding(self) -> tuple[object, ...]:
        data = self.subject.recipe.data
        read = data.path, data.format, data.columns, data.group
        return self.subject.model, *read, data.loss_on


class TokenViewer(QObject):
    """Answers the newest question.

    Signals:
        view_ready(object): The `TokenView` of the row that was asked about last.
        view_failed(object): A `Finding`: why there is none.
    """

    view_ready = Signal(object)
    view_failed = Signal(object)

    def __init__(
        self,
        *,
        command_for: Callable[..., Sequence[str]] = engine_command,
        parent: QObject | None = None,
    ) -> None:
        """Make a viewer without an engine.

        Args:
            command_for: From the verb and its arguments to an engine's command line.
            parent: Qt's owner.
        """
        super().__init__(parent)
        self._command_for = command_for
        self._question: RowQuestion | None = None
        self._served: RowQuestion | None = None
        self._number = 0
        self._starts = 0
        self._engine = ListeningEngine(self)
        self._engine.event_arrived.connect(self._on_event)
        self._engine.engine_gone.connect(self._on_gone)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PATIENCE_MS)
        self._timer.timeout.connect(self._on_patience_ended)

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is still to come."""
        return self._question is not None

    def ask(self, question: RowQuestion) -> None:
        """Ask for a row's tokens; earlier questions are not answered any more."""
        self._question, self._starts = question, 0
        self._number += 1
        self._timer.start()
        if self._engine.is_open and not question.is_about(self._served):
            self._end()
        if not self._engine.is_open:
            self._start()
        self._send()

    def forget(self) -> None:
        """Let the question go: nothing is shown that has tokens."""
        self._question = None
        self._timer.stop()

    @Slot()
    def close(self) -> None:
        """End the engine and wait for it; for a window that closes."""
        self.forget()
        self._end()

    def _start(self) -> None:
        question = self._question
        assert question is not None
        self._starts += 1
        self._served = question
        self._folder = tempfile.TemporaryDirectory(prefix="snugtune-")
        try:
            arguments = question.subject.arguments(Path(self._folder.name))
        except StudioError as refused:
            self._fail(refused.finding)
            return
        except OSError as fault:
            self._fail(unexpected(fault))
            return
        self._engine.start(self._command_for(VERB, *arguments))

    def _send(self) -> None:
        """Give the order; before the engine listens it waits in the pipe."""
        question = self._question
        if question is None:
            return
        order = ShowRow(
            order=self._number,
            line=question.line,
            file=question.file,
            place=question.place,
            length=question.length,
        )
        self._engine.tell(encode(order))

    @Slot(object)
    def _on_event(self, event: EngineEvent) -> None:
        match event:
            case RowShown(order=order) if order == self._number and self._question:
                self.forget()
                self.view_ready.emit(heard_view(event))
            case RowNotShown(order=order, finding=told) if order == self._number:
                self._fail(heard(told))
            case RunFailed(kind=kind, message=message, advice=advice):
                self._end()
                self._fail(error(kind, message, fix=advice))
            case _:
                pass

    @Slot(bool)
    def _on_gone(self, was_started: bool) -> None:
        """Start another engine for a question that the last one died of, once."""
        self._end()
        if self._question is None:
            return
        if not was_started or self._starts >= _MOST_STARTS:
            self._fail(_SILENT)
        else:
            self._start()
            self._send()

    @Slot()
    def _on_patience_ended(self) -> None:
        self._end()
        self._fail(_SLOW)

    def _fail(self, finding: Finding) -> None:
        if self._question is not None:
            self.forget()
            self.view_failed.emit(finding)

    def _end(self) -> None:
        self._served = None
        self._engine.end()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
