"""The length histogram: its line by mouse and by keys, and what it paints."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QFontMetrics

from studio.domain.token_lengths import TokenLengths
from studio.ui.charts.length_histogram import LengthHistogram
from studio.ui.charts.length_state import LengthBars, bars_of
from studio.ui.fonts import sans
from studio.ui.tokens import LIGHT, PointSize

LENGTHS = TokenLengths.of([*range(40, 1_400, 7), 2_000, 3_912])


@pytest.fixture
def chart(qtbot):
    made = LengthHistogram()
    qtbot.addWidget(made)
    made.resize(528, 160)
    made.show()
    made.set_bars(bars_of(LENGTHS))
    made.set_line(1024, LENGTHS.longer_than(1024), "56 rows are cut here")
    return made


def press_at(qtbot, chart, tokens):
    return QPoint(round(chart.place_of(tokens)), 80)


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (Qt.Key.Key_Left, 896),
        (Qt.Key.Key_Right, 1152),
        (Qt.Key.Key_PageUp, 1536),
        (Qt.Key.Key_PageDown, 512),
        (Qt.Key.Key_Home, 40),
        (Qt.Key.Key_End, 3912),
    ],
)
def test_that_keys_set_the_line(qtbot, chart, key, line):
    chart.setFocus()
    with qtbot.waitSignal(chart.line_set) as told:
        qtbot.keyClick(chart, key)
    assert told.args == [line]


def test_that_dragging_tells_the_way_and_letting_go_the_place(qtbot, chart):
    moved = []
    chart.line_moved.connect(moved.append)
    button = Qt.MouseButton.LeftButton
    qtbot.mousePress(chart, button, pos=press_at(qtbot, chart, 1024))
    assert chart.is_dragged
    qtbot.mouseMove(chart, press_at(qtbot, chart, 2048))
    qtbot.mouseMove(chart, press_at(qtbot, chart, 2560))
    with qtbot.waitSignal(chart.line_set) as told:
        qtbot.mouseRelease(chart, button, pos=press_at(qtbot, chart, 2560))
    assert moved[-1] == 2560
    assert told.args == [2560]
    assert not chart.is_dragged


def test_that_a_press_beside_the_line_moves_nothing(qtbot, chart):
    button = Qt.MouseButton.LeftButton
    qtbot.mousePress(chart, button, pos=press_at(qtbot, chart, 3000))
    assert not chart.is_dragged


def test_that_what_is_told_meanwhile_leaves_the_held_line_alone(qtbot, chart):
    button = Qt.MouseButton.LeftButton
    qtbot.mousePress(chart, button, pos=press_at(qtbot, chart, 1024))
    qtbot.mouseMove(chart, press_at(qtbot, chart, 2048))
    chart.set_line(1024, 0, "")
    assert chart.line == 2048
    qtbot.mouseRelease(chart, button)


def test_that_bars_past_the_line_have_the_second_colour(chart):
    def colours():
        image = chart.grab().toImage()
        places = [(x, y) for x in range(image.width()) for y in range(image.height())]
        return {image.pixelColor(x, y).name().upper() for x, y in places}

    assert {LIGHT.series_1, LIGHT.series_2} <= colours()
    chart.set_line(4096, 0, "No row is cut")
    assert LIGHT.series_2 not in colours()


def test_that_the_picture_is_told_in_words(chart):
    assert chart.accessibleName() == "Length of rows, line at 1,024 tokens"
    assert chart.accessibleDescription() == (
        "56 rows are cut here, longest: 3,912 tokens"
    )


def test_that_long_numbers_of_rows_get_the_room_they_need(qtbot, chart):
    usual = chart.place_of(0)
    chart.set_bars(LengthBars(128, (12_345_678, 9), 1, 200))
    metrics = QFontMetrics(sans(PointSize.CAPTION))
    assert chart.place_of(0) > usual
    assert chart.place_of(0) > metrics.horizontalAdvance("10,000,000")
