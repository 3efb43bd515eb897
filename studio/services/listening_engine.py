"""An engine beside the window that is given orders by line and answers by events.

It needs no thread: Qt tells when a line has come. Who uses it decides what to ask, and
what to make of an engine that is gone.
"""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import QObject, QProcess, QProcessEnvironment, Signal, Slot

from studio.protocol.codec import WireError, decode_event
from studio.services.launch import engine_environment

_END_MS: Final = 5_000


class ListeningEngine(QObject):
    """At most one process at a time.

    Signals:
        event_arrived(object): Each `EngineEvent`, in order.
        engine_gone(bool): It ended by itself, its last words heard; whether it had been
            started at all.
    """

    event_arrived = Signal(object)
    engine_gone = Signal(bool)

    def __init__(self, parent: QObject) -> None:
        """Start nothing yet."""
        super().__init__(parent)
        self._process: QProcess | None = None
        self._rest = b""

    @property
    def is_open(self) -> bool:
        """Whether there is a process, which may hold memory."""
        return self._process is not None

    def start(self, command: Sequence[str]) -> None:
        """Start it; one that is there is ended first."""
        self.end()
        program, *others = command
        process = self._process = QProcess(self)
        self._rest = b""
        environment = QProcessEnvironment()
        for name, value in engine_environment(keep_running=False).items():
            environment.insert(name, value)
        process.setProcessEnvironment(environment)
        process.setStandardErrorFile(QProcess.nullDevice())
        process.readyReadStandardOutput.connect(self._on_words)
        process.finished.connect(self._on_ended)
        process.errorOccurred.connect(self._on_error)
        process.start(program, others)

    def tell(self, order: bytes) -> None:
        """Give an order, a whole line; before the engine listens it waits in the pipe.

        Nothing happens where there is no engine.
        """
        if self._process is not None:
            self._process.write(order)

    def end(self) -> None:
        """End it and wait for it, so that its memory is free; nothing is told of it."""
        process, self._process = self._process, None
        if process is not None:
            process.blockSignals(True)  # its end was ordered here
            process.closeWriteChannel()
            process.kill()
            process.waitForFinished(_END_MS)
            process.deleteLater()

    @Slot()
    def _on_words(self) -> None:
        if self._process is None:
            return
        said = self._rest + self._process.readAllStandardOutput().data()
        *lines, self._rest = said.split(b"\n")
        for line in lines:
            try:
                event = decode_event(line)
            except WireError:
                continue  # its end tells of it
            self.event_arrived.emit(event)

    @Slot()
    def _on_ended(self) -> None:
        self._on_words()  # its last words may explain it
        if self.sender() is self._process:
            self.end()
            self.engine_gone.emit(True)

    @Slot(QProcess.ProcessError)
    def _on_error(self, fault: QProcess.ProcessError) -> None:
        if fault is QProcess.ProcessError.FailedToStart:
            self.end()
            self.engine_gone.emit(False)
