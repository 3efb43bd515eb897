"""Makes the application, or says in a sentence why no window can be opened.

Qt ends the process by SIGABRT when it has no display, under words that send people to
reinstall it. It tells its message handler first, which here has the last word.
"""

import os
import sys
from typing import NoReturn

from PySide6.QtCore import QMessageLogContext, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from studio.domain.errors import ExitCode
from studio.domain.finding import Finding, error

_VARIABLES = ("WAYLAND_DISPLAY", "DISPLAY")


def make_application() -> QApplication:
    """Make the application; without a display this ends the process in words."""
    said: list[str] = []

    def hear(kind: QtMsgType, _context: QMessageLogContext, text: str) -> None:
        if kind is QtMsgType.QtFatalMsg:
            _end(no_window(said[0] if said else text))
        said.append(text)

    before = qInstallMessageHandler(hear)
    try:
        application = QApplication([sys.argv[0]])
    finally:
        qInstallMessageHandler(before)
    for text in said:
        _tell(text)
    return application


def no_window(reason: str) -> Finding:
    """The finding for a program that can't show its window.

    Args:
        reason: What Qt said of it.
    """
    named = next((os.environ[name] for name in _VARIABLES if os.environ.get(name)), "")
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    return error(
        "window.no-display",
        f"No window can be opened on the display “{named}”."
        if named
        else "No window can be opened: no display is named.",
        why=f"Qt says: {lines[0].rstrip('.')}." if lines else "",
        fix="Work in the terminal (snugtune --help lists the commands, snugtune demo "
        "trains the example), or start it where a desktop is shown.",
    )


def _end(finding: Finding) -> NoReturn:
    # Qt is about to abort, which nothing but the process's own end forestalls.
    _tell(f"Error: {finding.sentence()}")
    os._exit(ExitCode.FAILED)


def _tell(line: str) -> None:
    if sys.__stderr__ is not None:
        sys.__stderr__.write(f"{line}\n")
        sys.__stderr__.flush()
