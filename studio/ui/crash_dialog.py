"""What the user sees when the program itself fails: words, and a report to copy."""

import sys
from typing import Final

from PySide6.QtCore import (
    QMessageLogContext,
    QObject,
    Qt,
    QtMsgType,
    Signal,
    Slot,
    qInstallMessageHandler,
)
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from studio.services.crash_log import CrashLog
from studio.ui.tokens import Space, Tone
from studio.ui.widgets.buttons import ButtonKind, button
from studio.ui.widgets.labels import Role, label

_SIZE: Final = (640, 420)
_WORDS: Final = (
    "The window goes on, and a run is not touched: it works in a process of its own. "
    "Nothing is sent anywhere; copy the report to file it."
)


class CrashDialog(QDialog):
    """A report in full, with a button that copies it.

    Attributes:
        report: The text.
        copy_report: Puts it on the clipboard.
    """

    def __init__(
        self, headline: str, report: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Snugtune: a fault")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.report = QPlainTextEdit(report)
        self.report.setReadOnly(True)
        self.report.setProperty("role", "mono")
        self.report.setAccessibleName("Report")
        self.report.setTabChangesFocus(True)
        self.copy_report = button("Copy report", ButtonKind.PRIMARY)
        self.copy_report.clicked.connect(self._on_copy)
        close = button("Close")
        close.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.setSpacing(Space.SMALL)
        buttons.addWidget(self.copy_report)
        buttons.addWidget(close)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.PAGE, Space.PAGE, Space.PAGE, Space.PAGE)
        column.setSpacing(Space.MEDIUM)
        column.addWidget(label(headline, Role.CARD_TITLE, wraps=True))
        column.addWidget(label(_WORDS, tone=Tone.MUTED, wraps=True))
        column.addWidget(self.report, 1)
        column.addLayout(buttons)
        self.resize(*_SIZE)

    @Slot()
    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self.report.toPlainText())


class CrashWatch(QObject):
    """Brings faults of any thread to the window's, and shows one at a time.

    Attributes:
        dialog: The one that is open; None without.

    Signals:
        fault_told: A report; emitted in the thread that failed.
    """

    fault_told = Signal(str)

    def __init__(self, log: CrashLog, window: QWidget) -> None:
        super().__init__(window)
        self._log = log
        self._window = window
        self.dialog: CrashDialog | None = None
        self.fault_told.connect(self._on_fault_told)
        log.listener = self.fault_told.emit
        self._handler_before = qInstallMessageHandler(self._on_qt_message)

    def close(self) -> None:
        """Stop listening; for a window that closes."""
        self._log.listener = None
        qInstallMessageHandler(self._handler_before)

    def tell_last_crash(self, stack: str) -> None:
        """Show that the last session ended in a hard crash."""
        self._show("The last session crashed. Nothing that was saved is lost.", stack)

    @Slot(str)
    def _on_fault_told(self, report: str) -> None:
        self._show("Something failed that should not.", report)

    def _show(self, headline: str, report: str) -> None:
        if self.dialog is not None:
            self.dialog.report.appendPlainText(f"\n{report}")
            return
        self.dialog = CrashDialog(headline, report, self._window)
        self.dialog.finished.connect(self._on_finished)
        self.dialog.open()

    @Slot()
    def _on_finished(self) -> None:
        self.dialog = None

    def _on_qt_message(
        self, kind: QtMsgType, context: QMessageLogContext, text: str
    ) -> None:
        self._log.write(f"Qt {kind.name}: {text}")
        if self._handler_before is not None:
            self._handler_before(kind, context, text)
        elif sys.__stderr__ is not None:
            sys.__stderr__.write(f"{text}\n")
