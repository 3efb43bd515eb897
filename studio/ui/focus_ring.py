"""The focus ring: shown for the keyboard only, drawn outside the widget.

A mouse user sees what was clicked; a keyboard user must see where the next key goes.
Which of the two is at work is read from the events of the window itself, a handful a
second, rather than from a filter on every event of every widget.
"""

from typing import Final

from PySide6.QtCore import QEvent, QObject, QRectF
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QWindow
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QFocusFrame,
    QProxyStyle,
    QStyle,
    QStyleHintReturn,
    QStyleOption,
    QWidget,
)
from typing_extensions import override

from studio.ui.palette import current_tokens
from studio.ui.tokens import Radius

_MARGIN: Final = 4
_LINE: Final = 2
_KEYBOARD_PROPERTY: Final = "snugtune_keyboard"


def keyboard_leads() -> bool:
    """Whether the last input came from the keyboard."""
    application = QApplication.instance()
    return application is not None and bool(application.property(_KEYBOARD_PROPERTY))


class _RingStyle(QProxyStyle):
    """Leaves the ring its 2 px gap and 2 px line outside the widget, above all else.

    Below the widget it would be clipped by the nearest container without margins.
    """

    @override
    def styleHint(
        self,
        hint: QStyle.StyleHint,
        option: QStyleOption | None = None,
        widget: QWidget | None = None,
        returnData: QStyleHintReturn | None = None,
    ) -> int:
        if hint is QStyle.StyleHint.SH_FocusFrame_AboveWidget:
            return 1
        return super().styleHint(hint, option, widget, returnData)

    @override
    def pixelMetric(
        self,
        metric: QStyle.PixelMetric,
        option: QStyleOption | None = None,
        widget: QWidget | None = None,
    ) -> int:
        if metric in (
            QStyle.PixelMetric.PM_FocusFrameHMargin,
            QStyle.PixelMetric.PM_FocusFrameVMargin,
        ):
            return _MARGIN
        return super().pixelMetric(metric, option, widget)


class FocusRing(QFocusFrame):
    """A rounded line round a widget, in the text colour."""

    def __init__(self) -> None:
        super().__init__()
        self._style = _RingStyle("Fusion")
        self.setStyle(self._style)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(current_tokens().text), _LINE))
        half = _LINE / 2
        rect = QRectF(self.rect()).adjusted(half, half, -half, -half)
        radius = Radius.CONTROL + 2
        painter.drawRoundedRect(rect, radius, radius)


class KeyboardFocusRing(QObject):
    """Moves one `FocusRing` to whatever has the focus while the keyboard leads."""

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._application = application
        self._ring: FocusRing | None = None
        application.focusChanged.connect(self._on_focus_changed)
        application.focusWindowChanged.connect(self._on_focus_window_changed)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress:
            self._set_keyboard_leads(leads=True)
        elif event.type() == QEvent.Type.MouseButtonPress:
            self._set_keyboard_leads(leads=False)
            self._hide()
        return False

    def ringed_widget(self) -> QWidget | None:
        """The widget that wears the ring now."""
        return None if self._ring is None else self._ring.widget()

    def _set_keyboard_leads(self, *, leads: bool) -> None:
        if keyboard_leads() != leads:
            self._application.setProperty(_KEYBOARD_PROPERTY, leads)

    def _on_focus_window_changed(self, window: QWindow | None) -> None:
        if window is not None:
            window.removeEventFilter(self)
            window.installEventFilter(self)

    def _on_focus_changed(self, _old: QWidget | None, new: QWidget | None) -> None:
        # Item views draw their ring inside the current row.
        if new is None or not keyboard_leads() or isinstance(new, QAbstractItemView):
            self._hide()
            return
        if self._ring is None:
            self._ring = FocusRing()
            self._ring.destroyed.connect(self._on_ring_destroyed)
        self._ring.setWidget(new)

    def _hide(self) -> None:
        if self._ring is not None:
            # The stub forgets that None takes the ring off.
            self._ring.setWidget(None)  # type: ignore[arg-type]

    def _on_ring_destroyed(self) -> None:
        # The ring is a child of the window it shows in and goes with it.
        self._ring = None
