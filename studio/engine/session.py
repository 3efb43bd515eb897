"""One engine's run of one verb: where it speaks, and what it is told."""

import os
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from studio.domain.finding import Finding
from studio.domain.run import Phase
from studio.engine.lifeline import (
    KEEP_RUNNING,
    Interrupted,
    Lifeline,
    has_listener,
    read_input,
)
from studio.engine.orders import Orders
from studio.engine.wire import Wire
from studio.protocol.codec import WireError, decode_command, told
from studio.protocol.commands import Cancel, KeepRunning, Pause, Stop
from studio.protocol.events import (
    Detached,
    EngineEvent,
    LogLine,
    PhaseChanged,
    Progress,
    Stopping,
    Warned,
)

Item = TypeVar("Item")

# Bars are watched by people; more often than this only fills the journal.
_PROGRESS_EVERY_S = 0.25
# An estimate from the first moments is a guess.
_ETA_FROM = 0.03


@dataclass(frozen=True, slots=True)
class Session:
    """What every part of the engine is handed.

    Attributes:
        wire: Where events go.
        orders: What the user wants.
        lifeline: Whether the work may be interrupted, and was.
        outages: What has come to threaten the machine, until a step has told it.
    """

    wire: Wire
    orders: Orders = field(default_factory=Orders)
    lifeline: Lifeline = field(default_factory=Lifeline)
    outages: "queue.SimpleQueue[Finding]" = field(default_factory=queue.SimpleQueue)

    @classmethod
    def of_this_process(cls) -> "Session":
        """Take stdout, stdin and the signals of this process."""
        keep_running = os.environ.get(KEEP_RUNNING) == "1"
        session = cls(
            Wire.take_over_stdout(), lifeline=Lifeline(keep_running=keep_running)
        )
        session.lifeline.install()
        if has_listener():
            threading.Thread(
                target=read_input,
                args=(session.hear, session.lifeline.input_ended),
                name="orders",
                daemon=True,
            ).start()
        return session

    def hear(self, line: bytes) -> None:
        """Take one line of orders; called from the thread that reads them."""
        try:
            order = decode_command(line)
        except WireError as fault:
            self.say(LogLine(level="warning", text=f"An order was no order: {fault}"))
            return
        match order:
            case KeepRunning():
                self.lifeline.let_go()
                self.say(Detached())
            case Stop() | Pause():
                self.orders.take(order)
                self.say(Stopping())
            case Cancel():
                pass  # whoever wrote it ends this process
            case _:
                self.orders.take(order)

    def say(self, event: EngineEvent) -> None:
        """Report something.

        Raises:
            StudioError: The journal can't be written any more.
        """
        self.wire.send(event)

    def enter(self, phase: Phase) -> None:
        """Begin another phase, unless the user or the system wants an end.

        Raises:
            Interrupted: They do.
        """
        self.lifeline.check()
        if self.orders.stop_is_ordered:
            raise Interrupted
        self.conclude(phase)

    def conclude(self, phase: Phase) -> None:
        """Begin a phase that must come to its end, such as saving."""
        self.say(PhaseChanged(phase=phase.value))

    def warn(self, finding: Finding) -> None:
        """Report something doubtful."""
        self.say(Warned(finding=told(finding)))

    def warn_of_outages(self) -> bool:
        """Report what has come to threaten the machine since the last call.

        Returns:
            Whether there was anything.
        """
        count = self.outages.qsize()  # the only one who takes calls this
        for _ in range(count):
            self.warn(self.outages.get())
        return count > 0

    def counted(self, items: Sequence[Item], stage: str, unit: str) -> Iterator[Item]:
        """Walk through a collection and report how far that has come."""
        count = Count(self, stage, len(items), unit)
        for item in items:
            yield item
            count.add(1)


class Count:
    """How far a countable stage has come; reports a few times a second."""

    def __init__(self, session: Session, stage: str, total: float, unit: str) -> None:
        self._session, self._stage = session, stage
        # The wire's numbers are floats; a whole one would be written differently.
        self._total, self._unit = float(total), unit
        self._done = 0.0
        self._began = time.monotonic()
        self._said = 0.0
        self._report()

    def add(self, amount: float) -> None:
        """Count so much more as done."""
        self._done += amount
        since = time.monotonic() - self._said
        if since >= _PROGRESS_EVERY_S or self._done >= self._total:
            self._report()

    def _report(self) -> None:
        self._said = time.monotonic()
        self._session.say(
            Progress(
                stage=self._stage,
                done=self._done,
                total=self._total,
                unit=self._unit,
                eta_s=self._eta(),
            )
        )

    def _eta(self) -> float | None:
        if not self._total or self._done < self._total * _ETA_FROM or not self._done:
            return None
        spent = time.monotonic() - self._began
        return max(0.0, spent * (self._total / self._done - 1))
