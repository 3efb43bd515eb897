"""The Help page: lists the shortcuts and runs the engine's diagnosis."""

from PySide6.QtCore import QCoreApplication, Slot
from PySide6.QtGui import QGuiApplication, QKeySequence, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget
from typing_extensions import override

from studio.domain.finding import Finding
from studio.protocol.events import Diagnosed, EngineEvent
from studio.services.engine_task import EngineTask
from studio.ui.item_models.cells import Cell
from studio.ui.pages.desk import Desk
from studio.ui.pages.finding_text import clear, show_findings
from studio.ui.pages.help.view import HelpView
from studio.ui.pages.help.view_model import (
    Shortcut,
    diagnosis_report,
    diagnosis_words,
    mark_of,
    page_shortcuts,
    versions,
)


class HelpPage(QWidget):
    """Wires the Help page.

    Attributes:
        view: Its widgets.
    """

    def __init__(
        self,
        desk: Desk,
        parent: QWidget | None = None,
        *,
        doctor: list[str] | None = None,
    ) -> None:
        """Make the page.

        Args:
            desk: What it works with.
            parent: The parent widget.
            doctor: Another command line for the diagnosis, for tests.
        """
        super().__init__(parent)
        self._desk = desk
        self._doctor = doctor
        self._task: EngineTask | None = None
        self._checks: list[Diagnosed] = []
        self.view = HelpView()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        for name, number in versions():
            self.view.add_version(name, number)
        self.view.diagnose.clicked.connect(self._on_diagnose)
        self.view.copy_report.clicked.connect(self._on_copy)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.close_task)
        self._show_checks()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        rows = [
            (deed.name, [Cell(deed.text), Cell(deed.where), Cell(deed.keys)])
            for deed in (*self.shortcuts(), *page_shortcuts())
        ]
        self.view.keys.set_rows(rows)

    def shortcuts(self) -> list[Shortcut]:
        """The window's named actions that have keys."""
        actions = self._desk.actions
        found = []
        for name in actions.names():
            keys = actions[name].shortcuts()
            shown = ", ".join(_words(key) for key in keys)
            if shown:
                found.append(Shortcut(name, actions[name].text(), shown))
        return found

    @Slot()
    def close_task(self) -> None:
        """End a diagnosis under way; for a window that closes."""
        if self._task is not None:
            self._task.close()
            self._task = None

    def _show_checks(self) -> None:
        view, running = self.view, self._task is not None
        view.diagnosis_words.setText(diagnosis_words(self._checks, running=running))
        view.diagnose.setEnabled(not running)
        rows = [
            (
                f"{place} {check.check}",
                [Cell(check.check, check.detail), _outcome(check)],
            )
            for place, check in enumerate(self._checks)
        ]
        view.checks.set_rows(rows)
        view.checks_table.setVisible(bool(rows))

    @Slot()
    def _on_diagnose(self) -> None:
        clear(self.view.findings)
        self._checks = []
        self._task = EngineTask("doctor", command=self._doctor, parent=self)
        self._task.event_arrived.connect(self._on_event_arrived)
        self._task.task_done.connect(self._on_task_done)
        self._task.task_failed.connect(self._on_task_failed)
        self._task.start()
        self._show_checks()

    @Slot(object)
    def _on_event_arrived(self, event: EngineEvent) -> None:
        if isinstance(event, Diagnosed):
            self._checks.append(event)
            self._show_checks()

    @Slot()
    def _on_task_done(self) -> None:
        self._task = None
        self._show_checks()

    @Slot(object)
    def _on_task_failed(self, finding: Finding) -> None:
        self._task = None
        self._show_checks()
        # A check that failed is told by its own row.
        if all(check.passed for check in self._checks):
            show_findings(self.view.findings, [finding])

    @Slot()
    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(diagnosis_report(self._checks))


def _outcome(check: Diagnosed) -> Cell:
    mark = mark_of(check)
    return Cell(mark.words, painted=mark)


def _words(key: QKeySequence) -> str:
    return key.toString(QKeySequence.SequenceFormat.NativeText)
