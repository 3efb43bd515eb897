"""Files dropped anywhere in the window."""

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget
from typing_extensions import override


class FileDrop(QObject):
    """Takes the drops that no field of the window wanted.

    Signals:
        file_dropped: The path of the first file.
    """

    file_dropped = Signal(str)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        match event:
            case QDragEnterEvent():
                if _file_of(event):
                    event.acceptProposedAction()
                    return True
            case QDropEvent():
                path = _file_of(event)
                if path and event.type() is QEvent.Type.Drop:
                    event.acceptProposedAction()
                    self.file_dropped.emit(path)
                    return True
            case _:
                pass
        return False


def _file_of(event: QDropEvent) -> str:
    """The first local file of a drop; empty when there is none."""
    local = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
    return local[0] if local else ""
