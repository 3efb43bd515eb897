"""QPalettes filled from the tokens, and the tokens that are in force."""

from PySide6.QtGui import QColor, QGuiApplication, QPalette

from studio.ui.tokens import DARK, LIGHT, Tokens

_Role = QPalette.ColorRole
_Group = QPalette.ColorGroup


def palette_from(tokens: Tokens) -> QPalette:
    """The palette of every widget: Active and Inactive alike, Disabled apart."""
    palette = QPalette()
    roles = {
        _Role.Window: tokens.window,
        _Role.WindowText: tokens.text,
        _Role.Base: tokens.surface,
        _Role.AlternateBase: tokens.raised,
        _Role.Text: tokens.text,
        _Role.Button: tokens.surface,
        _Role.ButtonText: tokens.text,
        _Role.BrightText: tokens.on_accent,
        _Role.Highlight: tokens.selection,
        _Role.HighlightedText: tokens.text,
        _Role.Accent: tokens.accent,
        _Role.Link: tokens.accent,
        _Role.LinkVisited: tokens.accent,
        _Role.PlaceholderText: tokens.muted,
        _Role.ToolTipBase: tokens.raised,
        _Role.ToolTipText: tokens.text,
        _Role.Light: tokens.surface,
        _Role.Midlight: tokens.sunken,
        _Role.Mid: tokens.border,
        _Role.Dark: tokens.border_strong,
        _Role.Shadow: tokens.text,
    }
    for role, colour in roles.items():
        palette.setColor(_Group.All, role, QColor(colour))
    for role in (_Role.WindowText, _Role.Text, _Role.ButtonText):
        palette.setColor(_Group.Disabled, role, QColor(tokens.disabled))
    return palette


def current_tokens() -> Tokens:
    """The tokens of the palette in force.

    Painted widgets ask here at each paint, so they follow a change of palette without
    holding a reference to anything.
    """
    window = QGuiApplication.palette().color(_Group.Active, _Role.Window)
    return DARK if window == QColor(DARK.window) else LIGHT
