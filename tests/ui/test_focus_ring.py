"""The focus ring: for the keyboard only, outside the widget."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QVBoxLayout, QWidget

from studio.ui.focus_ring import KeyboardFocusRing, keyboard_leads
from studio.ui.widgets.buttons import button
from studio.ui.widgets.segmented import Segmented


@pytest.fixture
def ring(qapp, theme) -> KeyboardFocusRing:
    return theme.findChild(KeyboardFocusRing) or qapp.findChild(KeyboardFocusRing)


@pytest.fixture
def window(qtbot, ring) -> QWidget:
    made = QWidget()
    column = QVBoxLayout(made)
    for name in ("Pause", "Stop"):
        column.addWidget(button(name))
    qtbot.addWidget(made)
    made.show()
    made.activateWindow()
    qtbot.waitUntil(lambda: QApplication.focusWindow() is made.windowHandle())
    return made


def press_tab(window: QWidget) -> None:
    QTest.keyClick(window.windowHandle(), Qt.Key.Key_Tab)


def click(window: QWidget, target: QWidget) -> None:
    place = target.mapTo(window, target.rect().center())
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mouseClick(window.windowHandle(), left, none, place)


def test_that_tab_shows_the_ring_round_what_has_the_focus(window, ring):
    press_tab(window)
    focused = window.focusWidget()
    assert keyboard_leads()
    assert ring.ringed_widget() is focused
    assert isinstance(focused, QPushButton)


def test_that_a_click_shows_no_ring_and_takes_it_away(window, ring):
    press_tab(window)
    first, second = window.findChildren(QPushButton)
    click(window, first)
    assert ring.ringed_widget() is None
    click(window, second)
    assert not keyboard_leads()
    assert ring.ringed_widget() is None


def test_that_the_ring_leaves_a_gap_of_two_pixels(window, ring):
    press_tab(window)
    QApplication.processEvents()
    frame, focused = ring._ring, window.focusWidget()
    assert frame.width() - focused.width() == 8
    assert frame.height() - focused.height() == 8


def test_that_a_tight_container_does_not_clip_the_ring(qtbot, ring):
    outer = QWidget()
    column = QVBoxLayout(outer)
    row = Segmented([("a", "Balanced"), ("b", "Quality")], name="Aim")
    column.addWidget(button("Pause"))
    column.addWidget(row)
    qtbot.addWidget(outer)
    outer.show()
    outer.activateWindow()
    qtbot.waitUntil(lambda: QApplication.focusWindow() is outer.windowHandle())
    press_tab(outer)
    focused = outer.focusWidget()
    assert ring.ringed_widget() is focused
    assert focused.parentWidget() is row
    assert ring._ring.parentWidget() is outer
    assert ring._ring.isVisible()


def test_that_the_ring_survives_the_window_it_was_in(qtbot, ring):
    for _ in range(2):
        gone = QWidget()
        column = QVBoxLayout(gone)
        column.addWidget(button("Go on"))
        column.addWidget(button("Stop"))
        with qtbot.waitActive(gone):
            gone.show()
            gone.activateWindow()
        press_tab(gone)
        assert ring.ringed_widget() is gone.focusWidget()
        gone.close()
        gone.deleteLater()
        qtbot.wait(1)
