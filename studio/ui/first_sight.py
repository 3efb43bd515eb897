"""Tells when a window was painted for the first time.

On X11 and Wayland a window that was told to show appears some round trips later; work
begun before that would keep it blank.
"""

from typing import Final

from PySide6.QtCore import QEvent, QObject, QTimer, Signal, Slot
from PySide6.QtWidgets import QWidget
from typing_extensions import override

_PATIENCE_MS: Final = 500


class FirstSight(QObject):
    """Watches one window until it is painted, or for half a second.

    Signals:
        window_seen: The window was painted, or is not going to be soon, such as one
            that opens minimised.
    """

    window_seen = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._is_over = False
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_PATIENCE_MS)
        self._patience.timeout.connect(self._end)
        self._patience.start()
        window.installEventFilter(self)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Paint:
            self._window.removeEventFilter(self)
            # After this event the pixels are on their way to the screen.
            QTimer.singleShot(0, self._end)
        return False

    @Slot()
    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._patience.stop()
            self.window_seen.emit()
