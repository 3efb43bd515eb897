"""Charts: axes that don't jump, spikes that stay, nothing drawn per event."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication, QLabel

from studio.ui.charts.feed import ChartFeed, shared_feed
from studio.ui.charts.history_chart import Area, HistoryChart
from studio.ui.charts.line_chart import LineChart, tick_words
from studio.ui.charts.memory_timeline import (
    MemoryTimeline,
    PredictedPeak,
    TimelineSample,
    thinned,
)
from studio.ui.charts.plot import Plot
from studio.ui.charts.scale import GrowingRange, Smoother, nice_step, spaced, step_ticks
from studio.ui.text import GIB
from studio.ui.theme import ColourScheme
from studio.ui.tokens import DARK, LIGHT


def y_range(chart: LineChart) -> tuple[float, float]:
    return tuple(chart._plot.items.getViewBox().viewRange()[1])


def x_range(chart: LineChart) -> tuple[float, float]:
    return tuple(chart._plot.items.getViewBox().viewRange()[0])


@pytest.fixture
def loss(qtbot) -> LineChart:
    chart = LineChart("Loss by step")
    chart.resize(600, 240)
    chart.set_total(300, passes=(100, 200))
    qtbot.addWidget(chart)
    chart.show()
    return chart


def test_that_the_kit_loads_neither_pyqtgraph_nor_numpy_before_the_first_chart():
    code = (
        "import sys, studio.app, studio.ui.charts, studio.ui.main_window;"
        "print({'numpy', 'pyqtgraph', 'torch'} & set(sys.modules))"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said.strip() == "set()"


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_that_a_y_axis_holds_every_value_and_never_shrinks(values):
    grown = GrowingRange()
    low, high = math.inf, -math.inf
    for value in values:
        grown.include(value)
        assert grown.low <= value <= grown.high
        assert grown.low <= low
        assert grown.high >= high
        low, high = grown.low, grown.high
        assert grown.step > 0 or (low, high) == (0.0, 0.0)


def test_that_a_value_that_is_no_number_leaves_the_axis_alone():
    grown = GrowingRange()
    grown.include(2.0)
    before = (grown.low, grown.high)
    assert not grown.include(math.nan)
    assert not grown.include(math.inf)
    assert (grown.low, grown.high) == before


def test_that_a_first_zero_does_not_set_the_size_of_an_axis():
    grown = GrowingRange(floor=0.0)
    assert not grown.include(0.0)
    assert grown.ticks() == []
    grown.include(2e-4)
    assert grown.low == 0.0
    assert 2e-4 <= grown.high < 4e-4


def test_that_an_axis_keeps_to_its_floor():
    grown = GrowingRange(floor=0.0)
    grown.include(2e-5)
    grown.include(2e-4)
    assert grown.low >= 0.0


@pytest.mark.parametrize(
    ("span", "step"), [(4, 1), (1.5, 0.4), (10, 4), (2e-4, 5e-5), (1000, 400)]
)
def test_that_axis_steps_are_round(span, step):
    assert nice_step(span) == pytest.approx(step)


@pytest.mark.parametrize(
    ("value", "step", "words"),
    [(1.5e-4, 5e-5, "1.5e-4"), (2, 1, "2"), (0.8, 0.4, "0.8"), (0, 5e-5, "0")],
)
def test_that_a_tick_has_the_decimals_of_its_step(value, step, words):
    assert tick_words(value, step) == words


def test_that_smoothing_starts_at_the_first_value():
    smoother = Smoother(0.9)
    assert smoother.add(3.0) == pytest.approx(3.0)
    assert smoother.add(math.nan) == pytest.approx(3.0)
    assert 2.4 < smoother.add(2.0) < 2.6


def test_that_step_ticks_go_from_nothing_to_the_last_step():
    assert step_ticks(327) == [0, 54, 109, 164, 218, 272, 327]
    assert step_ticks(2) == [0, 1, 2]
    assert step_ticks(0) == [0]


def test_that_points_are_drawn_at_the_shared_tick_not_one_by_one(loss):
    drawn = []
    loss._plot.drawing_due.connect(lambda: drawn.append(True))
    for step in range(1, 101):
        loss.append([(step, 2.0)])
    assert drawn == []
    shared_feed().drain()
    assert drawn == [True]


def test_that_one_feed_serves_all_charts(qtbot, loss):
    other = HistoryChart("Temperature", 30, 90)
    qtbot.addWidget(other)
    assert other._plot._feed is loss._plot._feed
    assert len(QApplication.instance().findChildren(ChartFeed)) == 1


def test_that_a_hidden_chart_draws_when_it_is_shown(qtbot):
    chart = LineChart("Loss")
    qtbot.addWidget(chart)
    chart.append([(1, 2.0)])
    assert not shared_feed().is_waiting
    chart.show()
    assert shared_feed().is_waiting
    shared_feed().drain()
    assert chart.accessibleDescription() == "1 step, latest 2"


def test_that_a_chart_that_went_away_is_not_drawn(qtbot):
    chart = LineChart("Loss")
    chart.show()
    chart.append([(1, 2.0)])
    chart.close()
    chart.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    shared_feed().drain()
    assert not shared_feed().is_waiting


def test_that_the_y_axis_stays_when_the_loss_falls(loss):
    loss.append([(1, 4.0)])
    shared_feed().drain()
    high = y_range(loss)[1]
    loss.append((step, 1.0) for step in range(2, 100))
    shared_feed().drain()
    assert y_range(loss)[1] >= high
    assert y_range(loss)[0] <= 1.0


def test_that_a_spike_stays_visible_beside_the_average(loss):
    loss.append((step, 9.0 if step == 50 else 1.0) for step in range(1, 100))
    shared_feed().drain()
    assert max(loss._raw.getData()[1]) == 9.0
    assert max(loss._mean.getData()[1]) < 9.0
    assert y_range(loss)[1] >= 9.0


def test_that_a_loss_that_is_no_number_leaves_a_gap_instead_of_zero(loss):
    loss.append([(1, 2.0), (2, math.nan), (3, 2.0)])
    shared_feed().drain()
    values = loss._raw.getOriginalDataset()[1]
    assert math.isnan(values[1])
    assert y_range(loss)[0] > 0


def test_that_the_x_axis_reaches_the_last_step_from_the_start(loss):
    loss.append([(1, 2.0)])
    shared_feed().drain()
    low, high = x_range(loss)
    assert -10 < low < 0
    assert 300 < high < 310


def test_that_marks_at_the_first_and_the_last_step_are_whole(loss):
    loss.append_held_out([(0, 2.0), (300, 1.0)])
    shared_feed().drain()
    low, high = x_range(loss)
    to_pixels = loss._plot.items.getViewBox().width() / (high - low)
    assert min(0 - low, high - 300) * to_pixels > loss._held_out.opts["symbolSize"] / 2


@pytest.mark.parametrize(
    ("height", "kept"), [(200, [0, 1, 2, 3]), (65, [0, 2]), (10, [0, 2])]
)
def test_that_a_low_chart_names_fewer_places_of_its_axis(height, kept):
    assert spaced([0, 1, 2, 3], height) == kept


def test_that_a_double_click_shows_all_again(loss, qtbot):
    qtbot.waitExposed(loss)
    loss._plot.items.getViewBox().setXRange(20, 40)
    loss._plot._on_zoomed(None)
    viewport = loss._plot.items.viewport()
    middle = QPoint(viewport.width() // 2, viewport.height() // 2)
    for kind in (
        QEvent.Type.MouseButtonPress,
        QEvent.Type.MouseButtonRelease,
        QEvent.Type.MouseButtonDblClick,
        QEvent.Type.MouseButtonRelease,
    ):
        event = QMouseEvent(
            kind,
            QPointF(middle),
            QPointF(viewport.mapToGlobal(middle)),
            Qt.MouseButton.LeftButton,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(viewport, event)
    assert x_range(loss)[1] > 300
    assert not loss._plot.is_zoomed


def test_that_a_new_total_leaves_a_zoomed_view_alone(loss):
    loss._plot.items.getViewBox().setXRange(20, 40, padding=0)
    loss._plot._on_zoomed(None)
    loss.set_total(400)
    assert x_range(loss) == pytest.approx((20, 40))


def test_that_charts_follow_the_palette(loss, theme):
    assert loss._mean.opts["pen"].color().name().upper() == LIGHT.series_1
    theme.set_scheme(ColourScheme.DARK)
    QApplication.processEvents()
    assert loss._mean.opts["pen"].color().name().upper() == DARK.series_1


def test_that_the_best_held_out_loss_is_named(loss):
    loss.append_held_out([(50, 1.4), (100, 1.2), (150, 1.3), (200, math.nan)])
    shared_feed().drain()
    assert loss._best.toPlainText() == "1.200 best"


def test_that_a_single_held_out_loss_is_no_best(loss):
    loss.append_held_out([(0, 1.4)])
    shared_feed().drain()
    assert not loss._best.isVisible()


def test_that_the_chart_s_newest_values_are_read_aloud(loss):
    loss.append([(1, 2.0), (2, 1.5)])
    loss.append_held_out([(0, 2.5), (2, 1.75)])
    shared_feed().drain()
    said = "2 steps, latest 1.5, held-out 1.75 at step 2"
    assert loss.accessibleDescription() == said
    loss.clear()
    shared_feed().drain()
    assert loss.accessibleDescription() == ""


def test_that_the_timeline_stands_on_the_other_programs(qtbot):
    chart = MemoryTimeline(12 * GIB)
    qtbot.addWidget(chart)
    chart.set_total(100)
    chart.set_prediction(PredictedPeak(8 * GIB, 7 * GIB, 9 * GIB))
    chart.append(
        [
            TimelineSample(1, GIB, 5 * GIB, 0, 2 * GIB),
            TimelineSample(2, 2 * GIB, 5 * GIB, 0, GIB),
        ]
    )
    chart.show()
    shared_feed().drain()
    assert chart._peak.getOriginalDataset()[1].tolist() == [9, 9, 10, 10]
    assert chart._peak.getOriginalDataset()[0][-1] == 100
    assert "highest 7.00, step 1" in chart.accessibleDescription()


def test_that_the_highest_point_ignores_what_other_programs_took(qtbot):
    chart = MemoryTimeline(12 * GIB)
    qtbot.addWidget(chart)
    chart.append(
        [TimelineSample(1, 0, 5 * GIB, 0, 0), TimelineSample(2, 9 * GIB, GIB, 0, 0)]
    )
    assert chart.highest().step == 1


def test_that_thinning_keeps_the_highest_reading():
    samples = [TimelineSample(i, 0, i % 97, 0, 0) for i in range(5_000)]
    kept = thinned(samples, 100)
    assert len(kept) <= 100
    assert max(s.total for s in kept) == 96


def test_that_a_history_forgets_what_is_older_than_five_minutes(qtbot):
    chart = HistoryChart("Temperature", 30, 90)
    qtbot.addWidget(chart)
    chart.set_limit(83, "slows at 83 °C")
    for second in range(0, 1000, 10):
        chart.append(second, None if second == 950 else 45.0)
    chart.show()
    shared_feed().drain()
    times = chart._curves[0].getOriginalDataset()[0]
    assert times[0] >= -300
    assert times[-1] == 0
    assert chart.accessibleDescription() == "now 45"


def test_that_areas_of_a_history_stand_on_one_another(qtbot):
    areas = [
        Area("others", lambda tokens: tokens.mem_other),
        Area("free", lambda tokens: tokens.mem_free),
    ]
    chart = HistoryChart("Memory", 0, 12, areas=areas)
    qtbot.addWidget(chart)
    chart.append(0, 3.0, 9.0)
    chart.append(1, 5.0, 7.0)
    chart.show()
    shared_feed().drain()
    free, others = (curve.getOriginalDataset()[1] for curve in chart._curves)
    assert others.tolist() == [3.0, 5.0]
    assert free.tolist() == [12.0, 12.0]
    assert chart.accessibleDescription() == "now others 5.00, free 7.00"
    chart.clear()
    shared_feed().drain()
    assert chart.accessibleDescription() == ""


def test_that_a_plot_takes_no_focus_and_has_no_menu(qtbot):
    plot = Plot()
    qtbot.addWidget(plot)
    assert plot.items.focusPolicy() is Qt.FocusPolicy.NoFocus
    assert not plot.items.getViewBox().menuEnabled()


def test_that_void_calls_give_no_reference_to_none_away(qtbot):
    label = QLabel()
    qtbot.addWidget(label)
    text = "step 214"
    before = sys.getrefcount(None)
    for _ in range(1_000):
        label.setText(text)
    assert sys.getrefcount(None) >= before - 50


def test_that_drawing_a_chart_gives_no_reference_to_none_away(loss):
    loss.append([(1, 1.0)])
    shared_feed().drain()
    before = sys.getrefcount(None)
    for step in range(2, 202):
        loss.append([(step, 1.0)])
        shared_feed().drain()
        QApplication.processEvents()
    # The fault took 20 and more a drawing; growth of lists may move a few.
    assert sys.getrefcount(None) >= before - 200
