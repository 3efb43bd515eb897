"""The Recipe page's way out: start the run, or let it wait in the queue."""

from typing import TYPE_CHECKING, Final

from PySide6.QtCore import QObject, Signal, Slot

from studio.domain.errors import StudioError
from studio.ui.pages.desk import Desk
from studio.ui.pages.recipe.queue_offer import QueueOffer
from studio.ui.pages.recipe.view import RecipeView
from studio.ui.text import breakable, count
from studio.ui.tokens import Tone
from studio.ui.widgets.labels import set_tone

if TYPE_CHECKING:
    from studio.ui.pages.recipe.view_model import RecipeView as Shown

SAVED: Final = "Everything below is saved as you change it"
START: Final = "Start training"
START_LATER: Final = "Start when it ends…"
_MOST_LETTERS: Final = 100
"""What four lines of the header hold; “Before you start” has the whole."""


class Starting(QObject):
    """Wires the header's start button and its neighbour.

    Attributes:
        offer: Asks what shall wait.

    Signals:
        start_refused(object): A `Finding`.
    """

    start_refused = Signal(object)

    def __init__(self, desk: Desk, view: RecipeView) -> None:
        super().__init__(view)
        self._desk = desk
        self._view = view
        self._added = ""
        self.offer = QueueOffer(desk, view)
        self.offer.runs_added.connect(self._on_runs_added)
        self.offer.start_refused.connect(self.start_refused)
        view.queue.clicked.connect(self.ask_to_queue)

    def show(self, shown: "Shown") -> None:
        """Say whether a run can start now, and what the buttons do."""
        view, is_later = self._view, bool(shown.busy)
        view.steps.setText(shown.steps)
        view.start.setText(f" {START_LATER if is_later else START}")
        view.start.setAccessibleName(START_LATER if is_later else START)
        view.start.setEnabled(self._may_queue(shown) if is_later else not shown.refused)
        view.start.setAccessibleDescription(shown.refused)
        view.queue.setVisible(not is_later)
        view.queue.setEnabled(self._may_queue(shown))
        view.note.setText(_briefly(shown.refused) or self._added or SAVED)
        view.note.setToolTip(shown.refused)
        set_tone(view.note, Tone.NORMAL if shown.refused else Tone.MUTED)

    def start(self, shown: "Shown") -> None:
        """Start the run; while another one is on, offer to let it wait."""
        project = self._desk.projects.current
        if shown.busy and self._may_queue(shown):
            self._ask()
        if project is None or shown.refused:
            return
        try:
            self._desk.controller.start(project, project.recipe)
        except StudioError as refused:
            self.start_refused.emit(refused.finding)
            return
        self._desk.pricer.ask(None)  # the run has the machine to itself
        self._desk.chosen_run.choose(None)
        self._desk.go_to("run")

    @Slot()
    def ask_to_queue(self) -> None:
        """Ask what of this recipe shall wait for its turn."""
        if self._view.queue.isEnabled():
            self._ask()

    def forget(self) -> None:
        """Let go of what was said about another recipe."""
        self._added = ""

    @staticmethod
    def _may_queue(shown: "Shown") -> bool:
        return not shown.missing

    def _ask(self) -> None:
        project = self._desk.projects.current
        if project is not None:
            self.offer.ask(project.recipe)

    @Slot(int)
    def _on_runs_added(self, runs: int) -> None:
        self._added = f"{count(runs, 'run')} added; see Runs."
        if not self._desk.controller.is_running:
            self._view.note.setText(self._added)


def _briefly(refused: str) -> str:
    """A refusal as long as the header is high, a path in it broken where it may be."""
    if len(refused) > _MOST_LETTERS:
        refused = f"{refused[: _MOST_LETTERS - 1].rstrip()}…"
    return breakable(refused)
