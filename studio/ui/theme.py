"""The look of the application: style, fonts, palette, style sheet, as one thing.

Fusion gives one look on every system; the palette follows the system's colour scheme
unless the user chose light or dark.
"""

import locale
from enum import StrEnum

from PySide6.QtCore import QLocale, QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QStyleFactory

from studio.ui import motion
from studio.ui.focus_ring import KeyboardFocusRing
from studio.ui.fonts import register_fonts, sans
from studio.ui.icons import refresh_icons
from studio.ui.palette import palette_from
from studio.ui.stylesheet import style_sheet
from studio.ui.tokens import DARK, LIGHT, Tokens


class ColourScheme(StrEnum):
    """The user's choice of palette."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Theme(QObject):
    """The look in force.

    Attributes:
        tokens: The colours in force.

    Signals:
        palette_changed: The colours changed; painted things that cache them redraw.
    """

    palette_changed = Signal()

    def __init__(
        self,
        application: QApplication,
        scheme: ColourScheme = ColourScheme.SYSTEM,
        *,
        reduced_motion: bool = False,
    ) -> None:
        super().__init__(application)
        self._application = application
        self._scheme = scheme
        self.tokens: Tokens = self._wanted_tokens()
        self._prepare_application()
        self._ring = KeyboardFocusRing(application)
        self.set_reduced_motion(reduced=reduced_motion)
        self._apply()
        hints = QGuiApplication.styleHints()
        hints.colorSchemeChanged.connect(self._on_system_scheme_changed)

    @property
    def scheme(self) -> ColourScheme:
        """The user's choice; the palette in force is `tokens`."""
        return self._scheme

    def set_scheme(self, scheme: ColourScheme) -> None:
        """Follow the system, or keep to one palette."""
        self._scheme = scheme
        self._follow()

    def set_reduced_motion(self, *, reduced: bool) -> None:
        """Switch the short movements of bars off or on."""
        motion.set_reduced_motion(reduced=reduced)

    def _prepare_application(self) -> None:
        # QApplication sets the locale of the environment; C libraries that parse
        # numbers would then read "0.5" as 0 in half of Europe.
        locale.setlocale(locale.LC_NUMERIC, "C")
        QLocale.setDefault(
            QLocale(QLocale.Language.English, QLocale.Country.UnitedKingdom)
        )
        register_fonts()
        self._application.setStyle(QStyleFactory.create("Fusion"))
        self._application.setFont(sans())

    def _wanted_tokens(self) -> Tokens:
        if self._scheme is ColourScheme.SYSTEM:
            scheme = QGuiApplication.styleHints().colorScheme()
            return DARK if scheme is Qt.ColorScheme.Dark else LIGHT
        return DARK if self._scheme is ColourScheme.DARK else LIGHT

    def _follow(self) -> None:
        wanted = self._wanted_tokens()
        if wanted is not self.tokens:
            self.tokens = wanted
            self._apply()
            self.palette_changed.emit()

    def _apply(self) -> None:
        self._application.setPalette(palette_from(self.tokens))
        self._application.setStyleSheet(style_sheet(self.tokens))
        refresh_icons()

    def _on_system_scheme_changed(self, _scheme: Qt.ColorScheme) -> None:
        self._follow()
