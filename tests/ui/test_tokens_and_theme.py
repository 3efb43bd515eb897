"""One table of colours, two palettes, one look."""

import locale
import re
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontInfo,
    QFontMetricsF,
    QGuiApplication,
    QPalette,
)
from PySide6.QtWidgets import QLabel, QPushButton

import studio.ui
from studio.services.assets import control_mark, icon_svg
from studio.ui.fonts import MEDIUM, SEMI_BOLD, mono, sans
from studio.ui.icons import IconName, icon_pixmap, set_icon
from studio.ui.palette import current_tokens, palette_from
from studio.ui.stylesheet import style_sheet
from studio.ui.theme import ColourScheme
from studio.ui.tokens import DARK, LIGHT, Tokens, Tone, ink_for

BOTH = pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=lambda t: t.name)
UI = Path(studio.ui.__file__).parent


def luminance(colour: str) -> float:
    """WCAG 2.1 relative luminance."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [
        p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@BOTH
@pytest.mark.parametrize("tone", list(Tone))
def test_that_text_can_be_read_on_every_ground(tokens: Tokens, tone: Tone):
    grounds = [tokens.window, tokens.surface, tokens.raised, tokens.sunken]
    grounds.append(asdict(tokens).get(f"{tone.value}_soft", tokens.surface))
    for ground in grounds:
        assert contrast(ink_for(tokens, tone), ground) >= 4.5


@BOTH
def test_that_labels_in_the_memory_bar_can_be_read(tokens: Tokens):
    table = asdict(tokens)
    labels = [name for name in table if name.endswith("_label")]
    assert len(labels) == 6
    for name in labels:
        assert contrast(table[name], table[name.removesuffix("_label")]) >= 4.5


@BOTH
def test_that_edges_of_controls_stand_out(tokens: Tokens):
    assert contrast(tokens.border_strong, tokens.surface) >= 3
    assert contrast(tokens.on_accent, tokens.accent) >= 4.5
    assert contrast(tokens.text, tokens.selection) >= 4.5


def test_that_colours_are_spelt_out_in_the_tokens_alone():
    spelt = {
        path.relative_to(UI).as_posix()
        for path in UI.rglob("*.py")
        if re.search(r"#[0-9A-Fa-f]{6}\b", path.read_text(encoding="utf-8"))
    }
    assert spelt == {"tokens.py"}


@BOTH
def test_that_marks_inside_controls_have_the_palettes_ink(tokens: Tokens):
    check = control_mark("check", tokens.name).read_text(encoding="utf-8")
    chevron = control_mark("chevron-down", tokens.name).read_text(encoding="utf-8")
    assert f'stroke="{tokens.on_accent}"' in check
    assert f'stroke="{tokens.text}"' in chevron


@BOTH
def test_that_active_and_inactive_windows_look_alike(tokens: Tokens):
    palette = palette_from(tokens)
    for role in QPalette.ColorRole:
        if role not in {QPalette.ColorRole.NColorRoles, QPalette.ColorRole.NoRole}:
            active = palette.color(QPalette.ColorGroup.Active, role)
            assert active == palette.color(QPalette.ColorGroup.Inactive, role)
    disabled = palette.color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.Text)
    assert disabled == QColor(tokens.disabled)


@BOTH
def test_that_the_style_sheet_is_filled_in_full(tokens: Tokens):
    sheet = style_sheet(tokens)
    assert "$" not in sheet
    assert tokens.accent in sheet


def test_that_a_chosen_scheme_changes_the_palette_and_says_so(theme, qtbot):
    with qtbot.waitSignal(theme.palette_changed):
        theme.set_scheme(ColourScheme.DARK)
    assert theme.tokens is DARK
    assert current_tokens() is DARK
    with qtbot.assertNotEmitted(theme.palette_changed):
        theme.set_scheme(ColourScheme.DARK)


def test_that_without_a_system_scheme_the_window_is_light(theme):
    theme.set_scheme(ColourScheme.DARK)
    theme.set_scheme(ColourScheme.SYSTEM)
    assert theme.tokens is LIGHT


def test_that_the_window_follows_the_systems_scheme_unless_one_was_chosen(
    theme, monkeypatch
):
    # The offscreen platform has no scheme of its own to change.
    hints = QGuiApplication.styleHints()
    dark = SimpleNamespace(colorScheme=lambda: Qt.ColorScheme.Dark)
    theme.set_scheme(ColourScheme.SYSTEM)
    monkeypatch.setattr("studio.ui.theme.QGuiApplication.styleHints", lambda: dark)
    hints.colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert theme.tokens is DARK
    theme.set_scheme(ColourScheme.LIGHT)
    hints.colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert theme.tokens is LIGHT


def test_that_numbers_are_read_with_a_point_in_every_country(theme):
    assert locale.localeconv()["decimal_point"] == "."


@pytest.mark.parametrize("weight", [QFont.Weight.Normal, MEDIUM, SEMI_BOLD])
def test_that_inter_comes_in_the_weights_that_are_used(theme, weight):
    shown = QFontInfo(sans(weight=weight))
    assert shown.family() == "Inter"
    assert shown.weight() == weight


def test_that_figures_are_of_one_width_in_text_and_in_styled_labels(qtbot, theme):
    label = QLabel("x")
    label.setProperty("role", "answer")
    qtbot.addWidget(label)
    label.ensurePolished()
    for font in (sans(), label.font()):
        widths = [QFontMetricsF(font).horizontalAdvance(f) for f in "0123456789"]
        assert max(widths) - min(widths) < 0.1


def test_that_mono_is_mono(theme):
    assert QFontInfo(mono()).family() == "JetBrains Mono"
    metrics = QFontMetricsF(mono())
    assert metrics.horizontalAdvance("iiii") == metrics.horizontalAdvance("WWWW")


@pytest.mark.parametrize("name", list(IconName))
def test_that_every_icon_is_drawn_in_the_ink_it_is_asked_for(theme, name):
    assert "currentColor" in icon_svg(name)
    image = icon_pixmap(name, DARK.danger, 20, 2.0).toImage()
    inks = {
        image.pixelColor(x, y).name().upper()
        for x in range(image.width())
        for y in range(image.height())
        if image.pixelColor(x, y).alpha() == 255
    }
    assert inks == {DARK.danger}


def test_that_a_buttons_icon_follows_the_palette(qtbot, theme):
    button = QPushButton("Start")
    qtbot.addWidget(button)
    set_icon(button, IconName.PLAY)
    light = button.icon().pixmap(16, 16).toImage()
    theme.set_scheme(ColourScheme.DARK)
    assert button.icon().pixmap(16, 16).toImage() != light


def test_that_the_application_writes_in_inter(theme):
    assert QGuiApplication.font().family() == "Inter"
    assert QFontInfo(QGuiApplication.font()).family() == "Inter"
