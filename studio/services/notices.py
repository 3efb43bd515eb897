"""The one door to the user: services post, and only the window shows."""

from PySide6.QtCore import QObject, Signal

from studio.domain.finding import Finding


class Notices(QObject):
    """Where problems are posted that belong to no page's own place.

    Signals:
        posted(object): A `Finding` to show.
    """

    posted = Signal(object)

    def post(self, finding: Finding) -> None:
        """Show a problem to the user."""
        self.posted.emit(finding)
