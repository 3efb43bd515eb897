"""Files dropped anywhere in the window."""

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QWidget
from typing_extensions import override


class FileDrop(QObject):
    """Takes the drops that no field of the window wanted.

    Signals:
        file_dropped: The path of the file or folder.
        several_dropped: How many were dropped at once, of which none is taken.
    """

    file_dropped = Signal(str)
    several_dropped = Signal(int)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        match event:
            case QDragEnterEvent():
                if _files_of(event):
                    event.acceptProposedAction()
                    return True
            case QDropEvent():
                paths = _files_of(event)
                if paths and event.type() is QEvent.Type.Drop:
                    event.acceptProposedAction()
                    if len(paths) == 1:
                        self.file_dropped.emit(paths[0])
                    else:
                        self.several_dropped.emit(len(paths))
                    return True
            case _:
                pass
        return False


def _files_of(event: QDropEvent) -> list[str]:
    """The local files and folders of a drop."""
    return [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
