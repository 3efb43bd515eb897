"""The bundled typefaces, so that every system shows the same window."""

from typing import Final

from PySide6.QtGui import QFont, QFontDatabase

from studio.services.assets import font_files
from studio.ui.tokens import PointSize

_FAMILIES: Final = ["Inter", "Noto Sans", "DejaVu Sans"]
_MONO_FAMILIES: Final = ["JetBrains Mono", "Noto Sans Mono", "DejaVu Sans Mono"]

REGULAR: Final = QFont.Weight.Normal
MEDIUM: Final = QFont.Weight.Medium
SEMI_BOLD: Final = QFont.Weight.DemiBold


def register_fonts() -> None:
    """Make the bundled fonts known to Qt.

    Raises:
        RuntimeError: A bundled font file can't be read as a font.
    """
    for path in font_files():
        if QFontDatabase.addApplicationFont(str(path)) < 0:
            message = (
                f"The font file {path} can't be read. "
                "Install Snugtune again, or clone the whole repository."
            )
            raise RuntimeError(message)


def sans(size: PointSize = PointSize.BODY, weight: QFont.Weight = REGULAR) -> QFont:
    """Inter with tabular figures, so that changing numbers don't move."""
    font = QFont(_FAMILIES)
    font.setPointSizeF(float(size))
    font.setWeight(weight)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


def mono(size: PointSize = PointSize.CAPTION) -> QFont:
    """JetBrains Mono without ligatures, for tokens, paths and log lines."""
    font = QFont(_MONO_FAMILIES)
    font.setPointSizeF(float(size))
    font.setFeature(QFont.Tag("liga"), 0)
    font.setFeature(QFont.Tag("calt"), 0)
    return font
