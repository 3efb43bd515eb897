"""The chart of what a run holds of main memory."""

import pytest
from PySide6.QtTest import QTest

from studio.ui.charts.feed import shared_feed
from studio.ui.charts.memory_line import MemoryLine
from studio.ui.text import GIB


@pytest.fixture
def chart(qtbot):
    chart = MemoryLine()
    qtbot.addWidget(chart)
    chart.resize(640, 240)
    chart.show()
    QTest.qWait(0)
    yield chart
    shared_feed().drain()


def drawn(chart: MemoryLine) -> str:
    shared_feed().drain()
    return chart.accessibleDescription()


def test_that_the_highest_reading_is_named_with_its_step(chart):
    chart.set_total(10)
    chart.append([(1, GIB), (2, 2 * GIB), (3, GIB)])
    assert chart.highest() == (2, 2 * GIB)
    assert drawn(chart) == "now 1.00 GiB, highest 2.00, step 2"


def test_that_words_of_prediction_and_measure_keep_apart(chart):
    chart.set_total(10)
    chart.set_prediction(GIB, GIB - GIB // 8, GIB + GIB // 8)
    chart.append([(1, GIB // 2)])
    drawn(chart)
    assert chart._peak_words.pos().y() > chart._highest_words.pos().y()
    chart.append([(2, 2 * GIB)])
    drawn(chart)
    assert chart._peak_words.pos().y() < chart._highest_words.pos().y()


def test_that_the_axis_holds_the_band_before_anything_is_measured(chart):
    chart.set_prediction(GIB, GIB // 2, 2 * GIB)
    drawn(chart)
    low, high = chart._plot.items.getViewBox().viewRange()[1]
    assert low == 0
    assert high >= 2


def test_that_another_run_begins_with_an_empty_chart(chart):
    chart.set_prediction(GIB, GIB // 2, 2 * GIB)
    chart.append([(1, GIB)])
    chart.clear()
    assert chart.highest() is None
    shared_feed().drain()
    assert not chart._peak_words.isVisible()


def test_that_a_reading_of_the_recipe_before_does_not_move_the_prediction(chart):
    chart.set_total(10)
    chart.append([(1, 2 * GIB), (2, 2 * GIB), (3, GIB // 2)])
    chart.set_prediction(GIB, GIB - GIB // 8, GIB + GIB // 8, since=2)
    drawn(chart)
    assert chart._peak_words.pos().y() == 1 + 1 / 8
    chart.append([(4, 2 * GIB)])
    drawn(chart)
    assert chart._peak_words.pos().y() == 1 - 1 / 8


def scene_box(item):
    margin = item.document().documentMargin()
    box = item.mapRectToScene(item.boundingRect())
    return box.adjusted(margin, margin, -margin, -margin)


@pytest.mark.parametrize("held", [0.5, 0.9, 1.2, 1.5, 1.8, 2.0, 2.3, 2.6])
def test_that_a_mark_never_hides_the_words_of_the_highest_reading(chart, held):
    chart.set_total(12)
    chart.append([(1, round(held * GIB)), (2, GIB // 4), (3, GIB // 4)])
    chart.set_prediction(GIB // 2, GIB // 2, GIB // 2, since=2)
    chart.set_marks([(2.0, "less memory: 4 × 2 rows")])
    drawn(chart)
    chart.grab()  # words find their place when they are painted
    (line,) = chart._marks._lines
    mark = scene_box(line.label.textItem)
    assert not mark.intersects(scene_box(chart._highest_words.textItem))
