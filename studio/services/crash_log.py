"""Faults of the program itself: kept in a file, and told to whoever listens.

Nothing is sent anywhere. A hard crash writes its stack to a file by itself; the next
start finds it there and says so.
"""

import faulthandler
import platform
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TextIO

from studio import __version__
from studio.system.paths import data_dir

Listener = Callable[[str], None]
_ROTATE_BYTES = 1 << 20


class CrashLog:
    """The file of faults, and the hooks that fill it.

    Attributes:
        path: Where exceptions and Qt's own complaints go.
        crash_path: Where the interpreter's stack goes at a hard crash.
        listener: Called with the report of each exception; in any thread.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Make a log; nothing is hooked before `install`.

        Args:
            folder: Where the files lie; ``logs`` in the user's data by default.
        """
        logs = folder or data_dir() / "logs"
        self.path = logs / "window.log"
        self.crash_path = logs / "crash.txt"
        self.listener: Listener | None = None
        self._crash_file: TextIO | None = None
        self._hooks_before = sys.excepthook, threading.excepthook
        self._was_enabled = faulthandler.is_enabled()

    def install(self) -> str:
        """Hook exceptions and crashes.

        Returns:
            The stack of the last session's hard crash; empty when there was none.
        """
        sys.excepthook = self._on_exception
        threading.excepthook = self._on_thread_exception
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            last = self._read_last_crash()
            self._crash_file = self.crash_path.open("w", encoding="utf-8")
        except OSError:
            return ""  # without a file the faults are still told to the listener
        faulthandler.enable(self._crash_file)
        return last

    def uninstall(self) -> None:
        """Put the former hooks back; an empty crash file is left behind."""
        sys.excepthook, threading.excepthook = self._hooks_before
        if self._crash_file is None:
            return
        faulthandler.disable()
        if self._was_enabled and sys.__stderr__ is not None:
            faulthandler.enable(sys.__stderr__)
        self._crash_file.close()
        self._crash_file = None

    def write(self, line: str) -> None:
        """Add a line; a disk that refuses loses it, for nothing else can be done."""
        try:
            if self.path.exists() and self.path.stat().st_size > _ROTATE_BYTES:
                self.path.replace(self.path.with_suffix(".log.1"))
            with self.path.open("a", encoding="utf-8") as file:
                file.write(
                    f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}\n"
                )
        except OSError:
            return

    def _read_last_crash(self) -> str:
        if not self.crash_path.exists():
            return ""
        return self.crash_path.read_text(encoding="utf-8", errors="replace").strip()

    def _on_exception(
        self,
        kind: type[BaseException],
        fault: BaseException,
        trace: TracebackType | None,
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, fault, trace)
            return
        self._tell("".join(traceback.format_exception(kind, fault, trace)))

    def _on_thread_exception(self, told: threading.ExceptHookArgs) -> None:
        if told.exc_value is not None:
            self._on_exception(told.exc_type, told.exc_value, told.exc_traceback)

    def _tell(self, trace: str) -> None:
        report = redacted(f"{versions()}\n\n{trace}")
        self.write(report)
        if sys.__stderr__ is not None:
            sys.__stderr__.write(report)
        if self.listener is not None:
            self.listener(report)


def versions() -> str:
    """What a report begins with: this program, Python, the system."""
    return (
        f"Snugtune {__version__}, Python {platform.python_version()}, "
        f"{platform.platform()}"
    )


def redacted(report: str) -> str:
    """A report without the user's name: the home folder reads ``~``."""
    return report.replace(str(Path.home()), "~")
