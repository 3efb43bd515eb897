"""The memory bar as a widget: drawn, hovered, moved through, read aloud."""

from itertools import pairwise, product

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip

from studio.ui.text import GIB
from studio.ui.theme import ColourScheme
from studio.ui.tokens import DARK, LIGHT
from studio.ui.widgets.memory_bar import MemoryBar
from studio.ui.widgets.memory_bar_frame import axis, peak_words
from studio.ui.widgets.memory_bar_layout import BarHeight
from studio.ui.widgets.memory_bar_state import MemoryBarState, Segment
from tests.ui.gallery import STATES, a_bar
from tests.ui.helpers import accessible_name, assert_reachable


@pytest.fixture
def bar(qtbot) -> MemoryBar:
    made = MemoryBar()
    made.resize(990, 114)
    made.set_state(a_bar())
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def colours_along(bar: MemoryBar) -> list[str]:
    """The colours met from left to right near the top of the bar."""
    image: QImage = bar.grab().toImage()
    y = round(bar._bar_rect().top()) + 5
    row = [image.pixelColor(x, y).name().upper() for x in range(image.width())]
    return [c for c, before in zip(row[1:], row, strict=False) if c != before]


def test_that_segments_stand_in_the_fixed_order(bar):
    wanted = [
        LIGHT.mem_other,
        LIGHT.mem_weights,
        LIGHT.mem_adapter,
        LIGHT.mem_activations,
        LIGHT.mem_loss,
        LIGHT.mem_overhead,
    ]
    met = [colour for colour in colours_along(bar) if colour in wanted]
    assert list(dict.fromkeys(met)) == wanted


def test_that_the_colours_follow_the_palette(bar, theme):
    theme.set_scheme(ColourScheme.DARK)
    QApplication.processEvents()
    assert DARK.mem_weights in colours_along(bar)


@pytest.mark.parametrize("height", list(BarHeight))
@pytest.mark.parametrize("name", list(STATES))
def test_that_every_state_is_drawn_at_every_height(qtbot, name, height):
    made = MemoryBar(height)
    made.set_state(STATES[name])
    made.resize(400, made.heightForWidth(400))
    qtbot.addWidget(made)
    image = made.grab().toImage()
    middle = round(made._bar_rect().center().y())
    shown = {image.pixelColor(x, middle).name() for x in range(0, 400, 5)}
    assert len(shown) > 1


def test_that_what_does_not_fit_is_outlined_in_danger(qtbot):
    made = MemoryBar(BarHeight.DETAILS)
    made.set_state(STATES["does not fit"])
    made.resize(400, 40)
    qtbot.addWidget(made)
    image = made.grab().toImage()
    bottom = round(made._bar_rect().bottom()) - 1
    met = {image.pixelColor(x, bottom).name().upper() for x in range(image.width())}
    assert LIGHT.danger in met


def test_that_a_disabled_bar_is_pale(bar):
    bar.setEnabled(False)
    assert LIGHT.mem_weights not in colours_along(bar)


def test_that_arrows_move_between_segments_and_show_their_tooltip(bar, qtbot):
    qtbot.keyClick(bar, Qt.Key.Key_Right)
    assert bar.current_segment() is Segment.OTHER
    qtbot.keyClick(bar, Qt.Key.Key_Right)
    assert bar.current_segment() is Segment.WEIGHTS
    assert QToolTip.text() == "Weights 5.17 GiB"
    qtbot.keyClick(bar, Qt.Key.Key_Left)
    assert bar.current_segment() is Segment.OTHER
    QToolTip.hideText()


def test_that_hovering_names_the_segment_under_the_mouse(bar):
    place = QPointF(300, bar._bar_rect().center().y())
    move = QMouseEvent(
        QEvent.Type.MouseMove,
        place,
        bar.mapToGlobal(place),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(bar, move)
    assert QToolTip.text() == "Weights 5.17 GiB"
    QToolTip.hideText()


def test_that_the_bar_says_its_state_aloud(bar):
    assert accessible_name(bar).startswith("Memory: fits. Other programs 1.10")
    assert_reachable(bar)


def test_that_a_bar_without_a_reading_is_drawn_as_dots(qtbot):
    made = MemoryBar(BarHeight.START)
    made.resize(200, 22)
    qtbot.addWidget(made)
    image = made.grab().toImage()
    inks = {image.pixelColor(x, y).name() for x in range(200) for y in range(4, 18)}
    assert QColor(LIGHT.mem_free).name() in inks
    assert len(inks) > 2


def test_that_live_readings_do_not_move(bar):
    bar.set_state(a_bar(weights=6.0))
    assert bar._placed()[1].right == bar._placed()[2].left
    assert not bar._animation.state().value


def test_that_the_users_own_change_moves_and_reduced_motion_does_not(bar, theme):
    bar.set_state(a_bar(weights=6.0), animated=True)
    assert bar._animation.state().value
    bar._animation.stop()
    theme.set_reduced_motion(reduced=True)
    bar.set_state(a_bar(weights=4.0), animated=True)
    assert not bar._animation.state().value


def test_that_the_legend_wraps_where_the_bar_is_narrow(bar):
    assert bar.heightForWidth(500) > bar.heightForWidth(990)


def test_that_names_on_the_axis_never_touch_or_leave_the_bar(qtbot):
    made = MemoryBar()
    qtbot.addWidget(made)
    cards, needs = (3.8, 11.99, 23.0, 141.1), (0.5, 1.02, 1.2, 3, 12, 80, 900)
    for card, need, width in product(cards, needs, (480, 990, 1560)):
        total, held = round(card * GIB), round(card * need * GIB)
        made.set_state(MemoryBarState.filled(total, {Segment.WEIGHTS: held}))
        made.resize(width, 114)
        names = axis(made._picture())
        rects = sorted((name.rect for name in names), key=QRectF.left)
        assert rects[0].left() >= 0
        assert rects[-1].right() <= width
        assert all(b.left() - a.right() >= 8 for a, b in pairwise(rects))
        assert len(names) >= 4


def test_that_the_limit_s_line_never_stands_in_the_peak_s_words(qtbot):
    made = MemoryBar()
    qtbot.addWidget(made)
    for need, width in product((0.9, 1.02, 1.07, 1.1, 1.2, 2, 6), (480, 990, 1560)):
        peak = round(12 * GIB * need)
        band = (peak, round(peak * 0.93), round(peak * 1.07))
        used = {Segment.WEIGHTS: peak}
        made.set_state(MemoryBarState.filled(12 * GIB, used, band=band))
        made.resize(width, 114)
        picture = made._picture()
        low, high = (picture.x(made.state.on_card(each)) for each in band[1:])
        words, rect = peak_words(picture, (low, high))
        assert words.startswith("peak")
        assert rect.left() >= 0
        assert not rect.left() <= picture.x(12 * GIB) <= rect.right() + 3, (need, width)


def test_that_bars_of_a_list_can_share_a_scale(qtbot):
    made = MemoryBar(BarHeight.LIST)
    made.resize(200, 18)
    made.set_state(MemoryBarState.filled(10, {Segment.WEIGHTS: 5}))
    made.set_scale(20)
    qtbot.addWidget(made)
    assert [span.right for span in made._placed()] == [50, 100]


def test_that_a_click_is_told(bar, qtbot):
    with qtbot.waitSignal(bar.bar_clicked):
        qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=QPoint(20, 50))


def test_that_a_segment_can_be_outlined_from_beside(bar):
    before = bar.grab().toImage()
    bar.outline_segment(Segment.WEIGHTS)
    assert bar.grab().toImage() != before


@pytest.fixture
def moving(qtbot) -> MemoryBar:
    made = MemoryBar(moves_headroom=True)
    made.resize(1000, 114)
    made.set_state(a_bar())
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def drag(bar: MemoryBar, pixels: int) -> None:
    edge = round(bar._headroom_edge())
    y = round(bar._bar_rect().center().y())
    QTest.mousePress(bar, Qt.MouseButton.LeftButton, pos=QPoint(edge, y))
    QTest.mouseMove(bar, QPoint(edge + pixels, y))
    QTest.mouseRelease(bar, Qt.MouseButton.LeftButton, pos=QPoint(edge + pixels, y))


def test_that_dragging_the_head_rooms_edge_chooses_another(qtbot, moving):
    before, clicks = moving.state.held(Segment.HEADROOM), []
    moving.bar_clicked.connect(lambda: clicks.append(1))
    with qtbot.waitSignal(moving.headroom_chosen) as told:
        drag(moving, 40)
    more = told.args[0] - before
    assert more == pytest.approx(40 / 1000 * moving.state.scale_bytes, rel=0.05)
    assert clicks == []


@pytest.mark.parametrize("pixels", [-900, 900])
def test_that_the_head_room_stays_within_what_is_free(qtbot, moving, pixels):
    state = moving.state
    most = state.held(Segment.HEADROOM) + state.held(Segment.FREE)
    with qtbot.waitSignal(moving.headroom_chosen) as told:
        drag(moving, pixels)
    assert told.args[0] == (0 if pixels < 0 else most)


def test_that_keys_move_the_head_room_under_the_keyboard(qtbot, moving):
    moving._current = Segment.HEADROOM
    with qtbot.waitSignal(moving.headroom_chosen) as told:
        QTest.keyClick(moving, Qt.Key.Key_Up)
    assert told.args[0] > moving.state.held(Segment.HEADROOM)


def test_that_other_bars_have_no_edge_to_drag(bar):
    assert bar._headroom_edge() is None
