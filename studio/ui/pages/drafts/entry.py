"""The way into making and reviewing drafts, and out again; for the Data page."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal, Slot

from studio.ui.pages.desk import Desk
from studio.ui.pages.drafts.panel import DraftsPanel


class DraftsEntry(QObject):
    """Whether drafts are at hand instead of the data, and who asked for them.

    Attributes:
        panel: What is shown then.
        is_open: Whether it shall be shown.

    Signals:
        is_open_changed: It was opened or left.
    """

    is_open_changed = Signal()

    def __init__(
        self, desk: Desk, use_file: Callable[[str], object], parent: QObject
    ) -> None:
        """Make the panel.

        Args:
            desk: Of the window.
            use_file: Makes a file the project's data.
            parent: Qt's owner.
        """
        super().__init__(parent)
        self.panel = DraftsPanel(desk)
        self.is_open = False
        self._desk, self._use_file = desk, use_file
        self.panel.left.connect(self._on_left)
        self.panel.use_chosen.connect(self._on_use_chosen)

    @Slot()
    def make(self) -> None:
        """Ask what to make drafts of."""
        self._open(is_open=True)
        self.panel.begin()

    @Slot()
    def review(self) -> None:
        """Go through the drafts of the project's data file."""
        self._open(is_open=True)
        self.panel.begin_review(self._desk.data.path)

    @Slot()
    def close(self) -> None:
        """Leave it, as when another project is opened."""
        self._open(is_open=False)

    def _open(self, *, is_open: bool) -> None:
        self.is_open = is_open
        self.is_open_changed.emit()

    @Slot()
    def _on_left(self) -> None:
        if self._desk.data.path:
            self._desk.data.read_again()  # reviews decide what is trained on
        self._open(is_open=False)

    @Slot(str)
    def _on_use_chosen(self, path: str) -> None:
        self._use_file(path)
        self._on_left()
