"""An exit is a sentence: codes and signals of an engine, put into words."""

import signal
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from studio.domain.best_step import ended_words
from studio.domain.card_fault_words import FAULT_WORDS, FaultWords
from studio.domain.card_faults import fault_in
from studio.domain.errors import ExitCode
from studio.domain.finding import Finding, error
from studio.domain.memory.measurement import Source
from studio.protocol.answer_events import Generated
from studio.protocol.data_events import (
    DataFetched,
    DataFixed,
    DataInspected,
    DraftsMade,
)
from studio.protocol.evaluation_events import Evaluated
from studio.protocol.events import (
    Diagnosed,
    EngineEvent,
    MemoryEstimated,
    MemoryMeasured,
    MemoryNotEstimated,
    ModelPrepared,
    RunFailed,
    RunFinished,
    RunPaused,
)
from studio.protocol.export_events import (
    Combined,
    Exported,
    Merged,
    ParityMeasured,
    Pushed,
)

CANCELLED = "run.cancelled"
"""The code of a run whose process was ended by force on purpose."""

_LOG_TAIL_BYTES = 4096


class Ordered(StrEnum):
    """The highest rung of the ladder that the user, or the window, went up."""

    NOTHING = "nothing"
    PAUSE = "pause"
    STOP = "stop"
    TERMINATE = "terminate"
    KILL = "kill"
    LET_GO = "let-go"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOutcome:
    """How an engine ended.

    Attributes:
        exit_code: Its exit code, or the negative number of the signal that ended it;
            None when it never started, or goes on without the window.
        last_word: Its `RunFinished`, `RunFailed` or result; None when it said none.
        saved_step: The last checkpoint that it reported; None before the first.
        ordered: What it had been told from here.
        log_path: Where its libraries' output lies.
        log_tail: The last line of it.
        fault: Why it could not be started or listened to.
    """

    exit_code: int | None = None
    last_word: EngineEvent | None = None
    saved_step: int | None = None
    ordered: Ordered = Ordered.NOTHING
    log_path: Path | None = None
    log_tail: str = ""
    fault: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether it ended as it should: with its result, and without an error."""
        said = self.last_word is not None and not isinstance(self.last_word, RunFailed)
        return said and not self.fault

    def sentence(self) -> str:
        """One or two sentences for the user, without the place."""
        match self.last_word:
            case RunFinished(stopped=True, steps=steps):
                return f"Stopped after step {steps:,}."
            case RunFinished(steps=steps, waited=waited, saved_step=saved):
                return ended_words(steps, waited, saved)
            case RunPaused(message="", step=step):
                return f"Paused behind step {step:,}."
            case RunFailed(message=message) | RunPaused(message=message):
                return message
            case None:
                return self._unspoken()
            case _:
                return "Done."

    def finding(self) -> Finding | None:
        """What went wrong, or None when nothing did."""
        if self.succeeded or self.ordered is Ordered.LET_GO:
            return None
        if isinstance(self.last_word, RunFailed):
            failed = self.last_word
            return error(failed.kind, failed.message, fix=failed.advice)
        words = self._of_card()
        log = "Its log may say more." if self.log_path else ""
        return error(
            CANCELLED if self._was_forced() else "engine.ended",
            self._unspoken(),
            why=self._cause(),
            fix=f"{words.advice} {log}".strip() if words else log,
            where=str(self.log_path) if self.log_path else "",
        )

    def _was_forced(self) -> bool:
        return not self.fault and self.ordered in {Ordered.TERMINATE, Ordered.KILL}

    def _unspoken(self) -> str:
        match self.ordered:
            case _ if self.fault:
                return f"The training process could not be followed: {self.fault}."
            case Ordered.LET_GO:
                return "Training goes on without the window."
            case Ordered.TERMINATE | Ordered.KILL:
                return f"The training process was ended by force. {self._saved()}"
            case _:
                how = self._how()
                return (
                    f"The training process ended without a word{how}. {self._saved()}"
                )

    def _how(self) -> str:
        code = self.exit_code
        if code is None:
            return ""
        if code >= 0:
            return f" (exit code {code})"
        return f" (signal {-code})"

    def _saved(self) -> str:
        if self.saved_step is None:
            return "Nothing was saved yet."
        return f"Saved up to step {self.saved_step:,}."

    def _cause(self) -> str:
        if self.exit_code == -signal.SIGTERM.value:
            return "Another program asked it to end."
        if self.exit_code is not None and self.exit_code < 0:
            return _SIGNAL_CAUSES.get(-self.exit_code, self._last_line())
        if self.exit_code == ExitCode.ORPHANED:
            return "It ended because the program that started it was gone."
        return self._last_line()

    def _last_line(self) -> str:
        if not self.log_tail:
            return ""
        words = self._of_card()
        met = f"{words.what}. " if words else ""
        return f"{met}Its last words in the log: {self.log_tail}"

    def _of_card(self) -> FaultWords | None:
        """What its last line says of a card, where it ended by itself.

        bitsandbytes ends the process as soon as CUDA answers one of its calls with a
        fault, whoever is to blame for it, and leaves a line of the log.
        """
        if self.exit_code != ExitCode.FAILED or self.fault:
            return None
        told = fault_in(self.log_tail)
        return FAULT_WORDS.get(told.fault) if told else None


# Numbers, because not every system has each of these signals.
_SIGNAL_CAUSES = {
    9: "Somebody killed it, or the system did because memory ran out.",
    11: "It crashed (SIGSEGV) in a library's own code.",
    6: "It crashed (SIGABRT) in a library's own code.",
    7: "It crashed (SIGBUS) in a library's own code.",
    4: "It crashed (SIGILL): a library was built for another processor.",
}


def is_last_word(event: EngineEvent) -> bool:
    """Whether this event is how an engine's verb ends, well or badly."""
    if isinstance(event, MemoryMeasured):
        return event.source == Source.PROBE
    return isinstance(
        event,
        RunFinished
        | RunFailed
        | RunPaused
        | Merged
        | ParityMeasured
        | Exported
        | Pushed
        | Combined
        | Evaluated
        | Generated
        | DraftsMade
        | ModelPrepared
        | Diagnosed
        | MemoryEstimated
        | MemoryNotEstimated
        | DataInspected
        | DataFixed
        | DataFetched,
    )


def is_final(event: EngineEvent) -> bool:
    """Whether nothing follows a last word: some verbs have one for each answer."""
    match event:
        case Diagnosed():
            return False
        case MemoryEstimated(left=left) | MemoryNotEstimated(left=left):
            return left == 0
        case _:
            return is_last_word(event)


def last_line_of(log: Path) -> str:
    """The last line with text of a log; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _LOG_TAIL_BYTES))
            tail = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return next((x.strip() for x in reversed(tail.splitlines()) if x.strip()), "")
