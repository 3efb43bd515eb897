"""One timer for all charts: what arrived is drawn five times a second at most."""

from typing import Final, Protocol

from PySide6.QtCore import QCoreApplication, QObject, QTimer
from shiboken6 import isValid

_INTERVAL_MS: Final = 200


class Redrawn(Protocol):
    """A chart that has something new to draw."""

    def redraw(self) -> None:
        """Draw everything that arrived since the last time."""


class ChartFeed(QObject):
    """Collects the charts that have news and redraws them together.

    The timer runs only while there is news, so that an idle window stays idle.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._waiting: list[Redrawn] = []
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.timeout.connect(self.drain)

    @property
    def is_waiting(self) -> bool:
        """Whether something will be drawn at the next tick."""
        return bool(self._waiting)

    def request(self, chart: Redrawn) -> None:
        """Redraw a chart at the next tick; asking twice is asking once."""
        if not any(chart is waiting for waiting in self._waiting):
            self._waiting.append(chart)
        if not self._timer.isActive():
            self._timer.start()

    def drain(self) -> None:
        """Draw now what waits."""
        self._timer.stop()
        waiting, self._waiting = self._waiting, []
        for chart in waiting:
            # A chart may have gone with its page since it asked.
            if isValid(chart):
                chart.redraw()


def shared_feed() -> ChartFeed:
    """The application's one feed, made at the first chart.

    Raises:
        RuntimeError: There is no application.
    """
    application = QCoreApplication.instance()
    if application is None:
        message = "a chart needs a QApplication"
        raise RuntimeError(message)
    found = application.findChild(ChartFeed)
    return found if isinstance(found, ChartFeed) else ChartFeed(application)
