"""Line icons, tinted with the palette's ink and cached.

Icons are SVG files whose ink is ``currentColor``. A widget that painted icons itself
asks for a pixmap at each paint; a button is given its icon by name, and the name stays
on it so that a change of palette can tint it again.
"""

from functools import lru_cache
from typing import Final

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QApplication

from studio.services.assets import icon_svg
from studio.ui.icon_names import IconName
from studio.ui.palette import current_tokens
from studio.ui.tokens import Tokens, Tone, ink_for

__all__ = ["IconName", "icon", "icon_pixmap", "paint_icon", "refresh_icons", "set_icon"]

SIZE: Final = 20
SMALL_SIZE: Final = 16
_NAME_PROPERTY: Final = "icon_name"


@lru_cache(maxsize=512)
def _pixmap(name: str, colour: str, width: int, height: int) -> QPixmap:
    svg = icon_svg(name).replace("currentColor", colour)
    renderer = QSvgRenderer(QByteArray(svg.encode("utf-8")))
    pixmap = QPixmap(width, height)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    renderer.setAspectRatioMode(Qt.AspectRatioMode.KeepAspectRatio)
    renderer.render(painter, QRectF(0, 0, width, height))
    painter.end()
    return pixmap


def icon_pixmap(
    name: IconName, colour: str, size: int | QSize = SIZE, ratio: float = 1.0
) -> QPixmap:
    """An icon as pixels.

    Args:
        name: Which icon.
        colour: Its ink, a token's value.
        size: Edge in device-independent pixels, or width and height.
        ratio: The screen's device pixel ratio.
    """
    extent = QSize(size, size) if isinstance(size, int) else size
    device = extent * ratio
    pixmap = QPixmap(_pixmap(name, colour, device.width(), device.height()))
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def paint_icon(painter: QPainter, name: IconName, colour: str, target: QRectF) -> None:
    """Draw an icon into a rectangle, sharp on the device painted on."""
    ratio = painter.device().devicePixelRatioF()
    pixmap = icon_pixmap(name, colour, target.size().toSize(), ratio)
    painter.drawPixmap(target.topLeft(), pixmap)


def icon(name: IconName, tone: Tone = Tone.NORMAL, size: int = SIZE) -> QIcon:
    """An icon for a menu or a list, in the palette in force."""
    tokens = current_tokens()
    return _icon_in(name, ink_for(tokens, tone), tokens.disabled, size)


def set_icon(button: QAbstractButton, name: IconName, size: int = SMALL_SIZE) -> None:
    """Give a button an icon that stays in the button's own text colour."""
    button.setProperty(_NAME_PROPERTY, name.value)
    button.setIconSize(QSize(size, size))
    _tint(button)


def refresh_icons() -> None:
    """Tint the icons of all buttons again after a change of palette."""
    for widget in QApplication.allWidgets():
        if isinstance(widget, QAbstractButton) and widget.property(_NAME_PROPERTY):
            _tint(widget)


def _tint(button: QAbstractButton) -> None:
    tokens = current_tokens()
    name = IconName(button.property(_NAME_PROPERTY))
    size = button.iconSize().width()
    ink = _button_ink(button, tokens)
    button.setIcon(_icon_in(name, ink, tokens.disabled, size))


def _button_ink(button: QAbstractButton, tokens: Tokens) -> str:
    match button.property("kind"):
        case "primary":
            return tokens.on_accent
        case "danger":
            return tokens.danger
        case "flat":
            return tokens.accent
        case _:
            return tokens.text


def _icon_in(name: IconName, ink: str, disabled: str, size: int) -> QIcon:
    result = QIcon()
    for ratio in (1.0, QApplication.primaryScreen().devicePixelRatio()):
        extent = round(size * ratio)
        normal = _pixmap(name, ink, extent, extent)
        result.addPixmap(normal, QIcon.Mode.Normal)
        result.addPixmap(_pixmap(name, disabled, extent, extent), QIcon.Mode.Disabled)
        if ratio == QApplication.primaryScreen().devicePixelRatio():
            break
    return result
