"""Runs an engine verb from the terminal: events in, Ctrl+C out, an outcome at the end.

The first Ctrl+C asks the engine to end after the step under way, the second ends it.
The engine reads its orders from a pipe, so closing this program ends it too.
"""

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from studio.cli import terminal
from studio.domain.errors import ExitCode, StudioError
from studio.protocol.commands import Stop
from studio.protocol.events import EngineEvent
from studio.services.engine_process import EngineProcess
from studio.services.launch import engine_command
from studio.services.process_outcome import Ordered, ProcessOutcome

BATCH_S = 0.1

Listener = Callable[[EngineEvent], None]


def run_engine(
    verb: str, *arguments: str, listener: Listener, log_path: Path | None = None
) -> EngineEvent:
    """Run a verb to its end.

    Args:
        verb: What the engine is told to do.
        arguments: Of the verb.
        listener: Is handed every event, in order.
        log_path: Where the libraries' output goes; None keeps none.

    Returns:
        The engine's last word, which is the verb's result.

    Raises:
        StudioError: The engine failed, with its own words and exit code; or it ended
            without a word, with what its exit tells.
    """
    engine = EngineProcess(engine_command(verb, *arguments), log_path=log_path)
    fault = ""
    try:
        engine.start()
        with _interrupts(engine):
            _follow(engine, listener)
    except OSError as error:
        fault = str(error)
    finally:
        engine.close()
    return result_of(engine.outcome(fault))


def _follow(engine: EngineProcess, listener: Listener) -> None:
    while not engine.has_ended():
        for event in engine.read_batch(BATCH_S):
            _tell(listener, event)
        if engine.hangs_at_exit():
            engine.kill()
    for event in engine.read_batch(BATCH_S):
        _tell(listener, event)


def _tell(listener: Listener, event: EngineEvent) -> None:
    """Hand an event on; that nobody reads on (`| head`) is no reason to end a run."""
    try:
        listener(event)
    except BrokenPipeError:
        terminal.leave_closed_pipes()


def result_of(outcome: ProcessOutcome) -> EngineEvent:
    """The last word of an engine that has ended.

    Raises:
        StudioError: It failed, or said none.
    """
    finding = outcome.finding()
    if finding is not None:
        code = outcome.exit_code
        known = ExitCode(code) if code in set(ExitCode) and code else ExitCode.FAILED
        raise StudioError(finding, known)
    assert outcome.last_word is not None  # else there would be a finding
    return outcome.last_word


@contextlib.contextmanager
def _interrupts(engine: EngineProcess) -> Iterator[None]:
    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        if engine.ordered is Ordered.NOTHING:
            engine.ordered = Ordered.STOP
            engine.send(Stop())
        elif engine.ordered is Ordered.STOP:
            engine.ordered = Ordered.TERMINATE
            engine.terminate()
        else:
            engine.ordered = Ordered.KILL
            engine.kill()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
