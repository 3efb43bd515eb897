"""An engine as its starter sees it: events to read, orders to give, an outcome.

No Qt: the workers of the window wrap it. One thread owns an `EngineProcess`; a second
thread inside it only reads the wire, so that no read can hold up an order.
"""

import contextlib
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from studio.domain.run import EngineIdentity
from studio.protocol.codec import WireError, decode_event, encode
from studio.protocol.commands import EngineCommand
from studio.protocol.events import CheckpointSaved, Detached, EngineEvent, LogLine
from studio.services.launch import engine_environment, may_connect
from studio.services.process_outcome import (
    Ordered,
    ProcessOutcome,
    is_final,
    is_last_word,
    last_line_of,
)
from studio.system.processes import identity_of, kill_group, own_group, terminate_group

# A child of the engine may hold the wire open after the engine's own end.
_WIRE_PATIENCE_S = 1.0
# Native libraries were seen to hang when the interpreter ends.
EXIT_PATIENCE_S = 15.0
_REAP_PATIENCE_S = 5.0


class EngineProcess:
    """One engine, from its start to its outcome.

    Attributes:
        command: Its command line.
        log_path: Where its libraries' output goes; a temporary file when None.
        keep_running: Whether it was started to outlive its starter.
        ordered: The highest order given so far.
        is_detached: Whether it said that it goes on by itself.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_path: Path | None = None,
        keep_running: bool = False,
    ) -> None:
        self.command = list(command)
        self.log_path = log_path
        self.keep_running = keep_running
        self.ordered = Ordered.NOTHING
        self.is_detached = False
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: EngineIdentity | None = None
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # Joining a thread from a QThread leaves a dummy of that behind in Python's
        # list of threads, so the reader's end is told by an event.
        self._reader_ended = threading.Event()
        self._log: IO[bytes] | None = None
        self._wire_closed = False
        self._exited_at: float | None = None
        self._last_word: EngineEvent | None = None
        self._last_word_at: float | None = None
        self._saved_step: int | None = None

    def start(self) -> None:
        """Start it in a process group of its own.

        Raises:
            OSError: The log or the process can't be made.
        """
        self._log = self.log_path.open("ab") if self.log_path else _scratch()
        self._process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=engine_environment(
                keep_running=self.keep_running, online=may_connect(self.command)
            ),
            **own_group(),
        )
        pid = self._process.pid
        self._identity = identity_of(pid) or EngineIdentity(pid, time.time())
        threading.Thread(target=self._listen, name="engine wire", daemon=True).start()

    def read_batch(self, seconds: float) -> list[EngineEvent]:
        """Everything said within so many seconds; sooner when the wire closes."""
        events: list[EngineEvent] = []
        until = time.monotonic() + seconds
        while not self._wire_closed and (left := until - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                break
            self._hear(line, events)
        if self._wire_closed:
            time.sleep(min(seconds, 0.02))  # the process is about to be reaped
        return events

    def has_ended(self) -> bool:
        """Whether the process is gone and all that it said was read."""
        assert self._process is not None
        if self._process.poll() is None:
            return False
        self._exited_at = self._exited_at or time.monotonic()
        patience = time.monotonic() - self._exited_at
        return self._wire_closed or patience > _WIRE_PATIENCE_S

    def hangs_at_exit(self) -> bool:
        """Whether it said its last word long ago and still doesn't end."""
        said = self._last_word_at
        return said is not None and time.monotonic() - said > EXIT_PATIENCE_S

    def send(self, command: EngineCommand) -> None:
        """Give an order; one that can't arrive any more is told by the outcome."""
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(encode(command))
            self._process.stdin.flush()

    def terminate(self) -> None:
        """Ask its whole group to end."""
        if self._identity is not None:
            terminate_group(self._identity)

    def kill(self) -> None:
        """End its whole group at once."""
        if self._identity is not None:
            kill_group(self._identity)

    def close(self) -> None:
        """Leave nothing behind: no process unless it is detached, no open file."""
        if self._process is not None and not self.is_detached:
            self._end()
        if self._process is not None and self._process.poll() is None:
            # It lives on; without a return code Python would warn of it.
            self._process.returncode = 0
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        if self._log is not None:
            self._log.close()

    def outcome(self, fault: str = "") -> ProcessOutcome:
        """How it ended; `fault` says why it could not be started or followed."""
        code = None if self._process is None else self._process.returncode
        return ProcessOutcome(
            exit_code=None if self.is_detached else code,
            last_word=self._last_word,
            saved_step=self._saved_step,
            ordered=self.ordered,
            log_path=self.log_path,
            log_tail=last_line_of(self.log_path) if self.log_path else "",
            fault=fault,
        )

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._process.stdout as wire:
            for line in wire:
                self._lines.put(line)
        self._lines.put(None)
        self._reader_ended.set()

    def _hear(self, line: bytes | None, events: list[EngineEvent]) -> None:
        if line is None:
            self._wire_closed = True
        elif line.endswith(b"\n"):
            event = _decoded(line)
            self._note(event)
            events.append(event)

    def _note(self, event: EngineEvent) -> None:
        match event:
            case CheckpointSaved(step=step):
                self._saved_step = step
            case Detached():
                self.is_detached = True
            case _ if is_last_word(event):
                self._last_word = event
                if is_final(event):
                    self._last_word_at = time.monotonic()

    def _end(self) -> None:
        assert self._process is not None
        self.kill()  # also children that outlived the engine and hold its memory
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_REAP_PATIENCE_S)
        self._reader_ended.wait(_REAP_PATIENCE_S)


def _decoded(line: bytes) -> EngineEvent:
    try:
        return decode_event(line)
    except WireError as fault:
        return LogLine(level="error", text=f"The wire carried no event: {fault}")


def _scratch() -> IO[bytes]:
    return tempfile.TemporaryFile()
