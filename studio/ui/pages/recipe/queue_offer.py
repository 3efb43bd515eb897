"""Asks what of a recipe shall wait, and starts the queue if that was chosen with it."""

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from studio.domain.errors import StudioError
from studio.domain.recipe import Recipe
from studio.ui.pages.desk import Desk
from studio.ui.pages.recipe.queue_dialog import QueueDialog


class QueueOffer(QObject):
    """Opens the dialog for a page.

    Attributes:
        dialog: Adds to the queue; None while it isn't open.

    Signals:
        runs_added(int): So many were added.
        start_refused(object): Why the queue could not be started, a `Finding`.
    """

    runs_added = Signal(int)
    start_refused = Signal(object)

    def __init__(self, desk: Desk, page: QWidget) -> None:
        super().__init__(page)
        self._desk = desk
        self._page = page
        self.dialog: QueueDialog | None = None

    def ask(self, recipe: Recipe) -> None:
        """Ask about a recipe of the open project.

        The queue's start is chosen beforehand while a run is on: who adds one then
        expects it to begin behind that.
        """
        project, driver = self._desk.projects.current, self._desk.queue
        if project is None or self.dialog is not None:
            return
        named = project.slug, project.name
        self.dialog = QueueDialog(driver.queue, named, recipe, self._page)
        chosen = self._desk.controller.is_running
        self.dialog.offer_start(self._words(), chosen=chosen)
        self.dialog.runs_added.connect(self._on_runs_added)
        self.dialog.finished.connect(self._on_finished)
        self.dialog.open()

    def _words(self) -> str:
        """What starting the queue with it means; empty when it is started already."""
        run, driver = self._desk.controller.snapshot, self._desk.queue
        if driver.is_driving or driver.queue.is_driven():
            return ""
        if run is not None and self._desk.controller.is_running:
            return f"Start the queue when {run.name} has ended"
        return "Start the queue now"

    @Slot(int, bool)
    def _on_runs_added(self, runs: int, starts: bool) -> None:
        self._desk.queue.tell_changed()
        if starts:
            try:
                self._desk.queue.drive()
            except StudioError as refused:
                self.start_refused.emit(refused.finding)
        self.runs_added.emit(runs)

    @Slot()
    def _on_finished(self) -> None:
        self.dialog = None
