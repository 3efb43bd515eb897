"""Which run the user looks at, told from one page to the others.

Runs chooses one; Run and Export show it. With none chosen they show the run that this
window leads, or else the newest.
"""

from pathlib import Path

from PySide6.QtCore import QObject, Signal


class ChosenRun(QObject):
    """The run that was opened by hand.

    Attributes:
        directory: Its folder; None when none was chosen.

    Signals:
        run_chosen: Another one was chosen, or none.
    """

    run_chosen = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.directory: Path | None = None

    def choose(self, directory: Path | None) -> None:
        """Look at a run; None follows what goes on."""
        if directory != self.directory:
            self.directory = directory
            self.run_chosen.emit()
