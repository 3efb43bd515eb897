"""The worker that runs an engine: a QObject that lives in a thread of its own.

`run` is the thread's whole work and returns when the engine has ended. Orders may be
given from any thread: they lie in a queue until `run`, ten times a second, takes
them.
"""

import queue
import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from studio.protocol.commands import KeepRunning, Pause, SampleNow, SaveNow, Stop
from studio.protocol.events import EngineEvent
from studio.services.engine_process import EngineProcess
from studio.services.process_outcome import Ordered

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH_S = 0.1  # at most ten batches a second reach the window
GRACE_S = 60.0
TERMINATE_GRACE_S = 15.0
DETACH_PATIENCE_S = 10.0
# An engine that was asked to end, and may take its time while it says something.
_ASKED = frozenset({Ordered.PAUSE, Ordered.STOP})


class TrainingWorker(QObject):
    """Runs one engine and tells what it says and how it ended.

    The ladder: after `stop`, an engine that says nothing for `grace_s` seconds is
    asked to terminate, and killed if it still lives after `TERMINATE_GRACE_S`. Each
    rung can also be gone up by hand.

    Signals:
        events_arrived(list): `EngineEvent`s in order, at most ten lists a second.
        run_ended(object): A `ProcessOutcome`; always sent, and once.
    """

    events_arrived = Signal(list)
    run_ended = Signal(object)

    def __init__(self, engine: EngineProcess, *, grace_s: float = GRACE_S) -> None:
        super().__init__()
        self._engine = engine
        self._grace_s = grace_s
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._deadline: float | None = None
        self._is_hurried = False
        self._is_letting_go = False
        self._fault = ""

    @Slot()
    def run(self) -> None:
        """Start the engine and follow it to its end."""
        try:
            self._engine.start()
            while not self._is_over():
                self._forward(self._engine.read_batch(BATCH_S))
                self._obey()
                self._climb()
            self._forward(self._engine.read_batch(BATCH_S))
        except Exception as error:  # noqa: BLE001 - a worker's top: every end is told
            self._fault = str(error) or type(error).__name__
        finally:
            try:
                self._engine.close()
            finally:
                self.run_ended.emit(self._engine.outcome(self._fault))

    def pause(self) -> None:
        """Order a checkpoint and the end after the step; the ladder follows."""
        self._orders.put(self._pause)

    def stop(self, *, save: bool = True) -> None:
        """Order the end after the step under way; the rest of the ladder follows.

        Args:
            save: Write the adapter first.
        """
        self._orders.put(lambda: self._stop(save=save))

    def stop_within(self, seconds: float) -> None:
        """Order the end, adapter saved; the next rung follows even if it works on."""
        self._orders.put(lambda: self._hurry(seconds))

    def terminate(self) -> None:
        """Ask the engine's process group to end, without finishing the step."""
        self._orders.put(self._terminate)

    def kill(self) -> None:
        """End the engine's process group at once."""
        self._orders.put(self._kill)

    def save_now(self) -> None:
        """Order a checkpoint after the step under way."""
        self._orders.put(lambda: self._engine.send(SaveNow()))

    def sample_now(self) -> None:
        """Order answers to the sample prompts after the step under way."""
        self._orders.put(lambda: self._engine.send(SampleNow()))

    def let_go(self) -> None:
        """Leave the engine running without the window; `run` returns soon after."""
        self._orders.put(self._let_go)

    def _is_over(self) -> bool:
        if self._fault or (self._is_letting_go and self._engine.is_detached):
            return True
        return self._engine.has_ended()

    def _forward(self, events: list[EngineEvent]) -> None:
        if not events:
            return
        if self._engine.ordered in _ASKED and not self._is_hurried:
            self._deadline = time.monotonic() + self._grace_s  # it is at work
        self.events_arrived.emit(events)

    def _obey(self) -> None:
        while not self._orders.empty():
            self._orders.get()()

    def _climb(self) -> None:
        if self._engine.hangs_at_exit():
            self._engine.kill()
        if self._deadline is None or time.monotonic() < self._deadline:
            return
        match self._engine.ordered:
            case Ordered.PAUSE | Ordered.STOP:
                self._terminate()
            case Ordered.LET_GO:
                self._give_up_letting_go()
            case Ordered.KILL:
                # A process that waits for broken hardware can't be ended by anybody.
                self._fault = "it does not end even when it is killed"
            case _:
                self._kill()

    def _pause(self) -> None:
        if self._engine.ordered is Ordered.NOTHING:
            self._engine.ordered = Ordered.PAUSE
            self._engine.send(Pause())
            self._deadline = time.monotonic() + self._grace_s

    def _stop(self, *, save: bool) -> None:
        if self._engine.ordered in {Ordered.NOTHING, *_ASKED}:
            self._engine.ordered = Ordered.STOP
            self._engine.send(Stop(save=save))
            self._deadline = time.monotonic() + self._grace_s

    def _hurry(self, seconds: float) -> None:
        self._grace_s, self._is_hurried = seconds, True
        self._stop(save=True)

    def _terminate(self) -> None:
        if self._engine.ordered is not Ordered.KILL:
            self._engine.ordered = Ordered.TERMINATE
            self._engine.terminate()
            self._deadline = time.monotonic() + TERMINATE_GRACE_S

    def _kill(self) -> None:
        self._engine.ordered = Ordered.KILL
        self._engine.kill()
        self._deadline = time.monotonic() + TERMINATE_GRACE_S

    def _let_go(self) -> None:
        self._is_letting_go = True
        self._engine.ordered = Ordered.LET_GO
        self._engine.send(KeepRunning())
        self._deadline = time.monotonic() + DETACH_PATIENCE_S

    def _give_up_letting_go(self) -> None:
        # It may be deep in a library and read its order later; killing it now would
        # lose what the user asked to keep.
        self._engine.is_detached = True
