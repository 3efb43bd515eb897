"""The project switcher: which project is open, and a menu of the others."""

from typing import Final

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QMenu, QPushButton, QSizePolicy
from typing_extensions import override

from studio.ui.fonts import MEDIUM, sans
from studio.ui.icons import SMALL_SIZE, IconName, paint_icon
from studio.ui.palette import current_tokens
from studio.ui.tokens import Height, PointSize, Radius, Tokens

_PADDING: Final = 12
_TEXT_LEFT: Final = 36
_NONE: Final = "No project"


class ProjectButton(QPushButton):
    """Folder, name and a chevron; folded, the folder alone."""

    def __init__(self, menu: QMenu) -> None:
        super().__init__()
        self._project = ""
        self._folded = False
        self.setMenu(menu)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFixedHeight(Height.LARGE_BUTTON)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.set_project("")

    def project(self) -> str:
        """The name that is shown."""
        return self._project

    def shown_name(self) -> str:
        """What is painted: the open project's name, or that there is none."""
        return self._project or _NONE

    def set_project(self, name: str) -> None:
        """Show the open project's name; empty when none is open."""
        self._project = name
        self.setAccessibleName(f"Project {name}" if name else _NONE)
        self.setToolTip(name)
        self.update()

    def set_folded(self, *, folded: bool) -> None:
        """Show the folder alone, or the name as well."""
        self._folded = folded
        self.update()

    @override
    def sizeHint(self) -> QSize:
        return QSize(Height.LARGE_BUTTON, Height.LARGE_BUTTON)

    @override
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        tokens = current_tokens()
        edge = tokens.text if self.underMouse() else tokens.border
        painter.setPen(QPen(QColor(edge), 1))
        painter.setBrush(QColor(tokens.raised if self.isDown() else tokens.surface))
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(rect, Radius.CONTROL, Radius.CONTROL)
        left = (self.width() - SMALL_SIZE) / 2 if self._folded else _PADDING
        self._paint_icon(painter, IconName.FOLDER, left, tokens)
        if not self._folded:
            right = self.width() - _PADDING - SMALL_SIZE
            self._paint_icon(painter, IconName.CHEVRON_DOWN, right, tokens)
            self._paint_name(painter, right, tokens)

    def _paint_icon(
        self, painter: QPainter, icon: IconName, left: float, tokens: Tokens
    ) -> None:
        top = (self.height() - SMALL_SIZE) / 2
        target = QRectF(left, top, SMALL_SIZE, SMALL_SIZE)
        paint_icon(painter, icon, tokens.text, target)

    def _paint_name(self, painter: QPainter, right: float, tokens: Tokens) -> None:
        font = sans(PointSize.BODY, MEDIUM)
        rect = QRectF(_TEXT_LEFT, 0, right - _TEXT_LEFT - 4, self.height())
        shown = QFontMetricsF(font).elidedText(
            self.shown_name(), Qt.TextElideMode.ElideRight, rect.width()
        )
        painter.setFont(font)
        painter.setPen(QColor(tokens.text if self._project else tokens.muted))
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(rect, flags, shown)
