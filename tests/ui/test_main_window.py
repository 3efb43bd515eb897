"""The window's frame: navigation, title, folding, closing."""

import subprocess
import sys

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QWidget

from studio.ui.icons import IconName
from studio.ui.main_window import MainWindow
from studio.ui.pages import NavGroup, PageSpec
from studio.ui.text import GIB
from studio.ui.widgets.card import Card
from studio.ui.widgets.memory_bar_state import MemoryBarState, Segment
from studio.ui.widgets.page import PageFrame, TwoColumns
from studio.ui.widgets.status_bar import CardReading
from tests.ui.helpers import accessible_name, assert_reachable

KEYS = ("start", "hardware", "recipe", "runs", "help")


@pytest.fixture
def built() -> list[str]:
    return []


@pytest.fixture
def window(qtbot, built) -> MainWindow:
    def factory(key: str):
        def build() -> QWidget:
            built.append(key)
            page = PageFrame(key.title(), "A line of facts")
            columns = TwoColumns(side_width=360)
            columns.left.addWidget(Card("Left"))
            columns.right.addWidget(Card("Right"))
            page.content.addWidget(columns, 1)
            return page

        return build

    groups = (NavGroup.START, NavGroup.STEPS, NavGroup.STEPS, NavGroup.RESULTS)
    specs = [
        PageSpec(key, key.title(), IconName.HOME, factory(key), group)
        for key, group in zip(KEYS, (*groups, NavGroup.FOOT), strict=True)
    ]
    made = MainWindow(specs)
    qtbot.addWidget(made, before_close_func=lambda w: w.set_close_hook(lambda: True))
    return made


def shown(window: MainWindow, qtbot) -> MainWindow:
    window.show_page("start")
    window.show()
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.focusWindow() is window.windowHandle())
    return window


def test_that_pages_are_built_at_their_first_visit_and_kept(window, built):
    assert built == []
    first = window.show_page("recipe")
    window.show_page("start")
    assert window.show_page("recipe") is first
    assert built == ["recipe", "start"]
    assert window.current_page() == "recipe"
    assert window.built_page("runs") is None


def test_that_numbers_with_control_go_to_the_pages(window, qtbot):
    shown(window, qtbot)
    QTest.keyClick(window, Qt.Key.Key_3, Qt.KeyboardModifier.ControlModifier)
    assert window.current_page() == "recipe"
    assert window.side_nav.item("recipe").isChecked()
    assert not window.side_nav.item("start").isChecked()


def test_that_help_has_no_number(window):
    names = [name for name in window.actions_.names() if name.startswith("page.")]
    assert names == ["page.start", "page.hardware", "page.recipe", "page.runs"]


def test_that_arrows_move_inside_the_nav(window, qtbot):
    shown(window, qtbot)
    window.side_nav.item("start").setFocus()
    QTest.keyClick(window.side_nav.item("start"), Qt.Key.Key_Down)
    assert window.current_page() == "hardware"
    QTest.keyClick(window.side_nav.item("hardware"), Qt.Key.Key_Up)
    assert window.current_page() == "start"


def test_that_a_captions_words_are_read_with_the_pages_name(window):
    window.side_nav.set_caption("hardware", "10.89 free")
    assert accessible_name(window.side_nav.item("hardware")) == "Hardware, 10.89 free"
    window.side_nav.set_attention("hardware", needed=True)
    assert "needs attention" in accessible_name(window.side_nav.item("hardware"))


def test_that_the_nav_folds_in_a_narrow_window_and_names_move_to_tooltips(
    window, qtbot
):
    shown(window, qtbot)
    assert window.side_nav.width() == 208
    window.resize(1100, 760)
    assert window.side_nav.is_folded
    assert window.side_nav.width() == 56
    assert window.side_nav.item("recipe").toolTip() == "Recipe"
    window.resize(1120, 760)
    assert not window.side_nav.is_folded


def test_that_two_columns_stack_in_a_narrow_window(window, qtbot):
    shown(window, qtbot)
    columns = window.findChild(TwoColumns)
    assert not columns.is_stacked
    window.resize(1100, 760)
    QApplication.processEvents()
    assert columns.is_stacked
    left, right = columns._holders
    assert right.y() > left.y()
    assert right.width() == left.width()


def test_that_a_side_column_grows_by_a_quarter_at_most(window, qtbot):
    shown(window, qtbot)
    QApplication.processEvents()
    columns = window.findChild(TwoColumns)
    assert columns._side.width() == 360
    window.resize(1900, 1000)
    QApplication.processEvents()
    assert columns._side.width() == 450
    assert columns.width() <= 1600


def test_that_the_window_is_never_smaller_than_its_pages_need(window):
    assert (window.minimumWidth(), window.minimumHeight()) == (1024, 700)


@pytest.mark.parametrize(
    ("project", "percent", "title"),
    [
        ("", None, "Snugtune"),
        ("Cheese", None, "Cheese · Snugtune"),
        ("Cheese", 65, "65 % · Cheese · Snugtune"),
    ],
)
def test_that_the_title_tells_project_and_progress(window, project, percent, title):
    if project:
        window.set_projects({"p": project} if project else {}, "p")
    window.set_percent(percent)
    assert window.windowTitle() == title


def test_that_closing_asks_first(window, qtbot):
    shown(window, qtbot)
    window.set_close_hook(lambda: False)
    assert not window.close()
    assert window.isVisible()
    window.set_close_hook(lambda: True)
    assert window.close()


def test_that_the_switcher_lists_projects_and_offers_a_new_one(window, qtbot):
    window.set_projects({"cheese": "Cheese", "salt": "Salt & pepper"}, "cheese")
    menu = window.side_nav.project_button.menu()
    texts = [action.text() for action in menu.actions() if not action.isSeparator()]
    assert texts == ["Cheese", "Salt && pepper", "New project…"]
    with qtbot.waitSignal(window.side_nav.project_chosen) as told:
        menu.actions()[1].trigger()
    assert told.args == ["salt"]
    with qtbot.waitSignal(window.side_nav.new_project_requested):
        menu.actions()[-1].trigger()


def test_that_projects_of_one_name_are_told_apart(window, qtbot):
    window.set_projects({"same": "Same", "same-2": "Same"}, "same-2")
    first, second = window.side_nav.project_button.menu().actions()[:2]
    assert (first.text(), second.text()) == ("Same (same)", "Same (same-2)")
    assert (first.isChecked(), second.isChecked()) == (False, True)
    with qtbot.waitSignal(window.side_nav.project_chosen) as told:
        first.trigger()
    assert told.args == ["same"]
    assert window.side_nav.project_button.project() == "Same"


def test_that_without_a_project_the_switcher_says_so_and_lists_none(window):
    window.set_projects({}, "")
    button = window.side_nav.project_button
    assert button.shown_name() == "No project"
    texts = [a.text() for a in button.menu().actions() if not a.isSeparator()]
    assert texts == ["New project…"]


def test_that_the_status_bar_tells_of_the_card(window):
    memory = MemoryBarState.filled(12 * GIB, {Segment.OTHER: GIB}, measured=True)
    window.status.show_card(
        CardReading(name="RTX 4070", memory=memory, temperature_c=46, driver="570.1")
    )
    words = [made.text() for made in window.status.findChildren(QLabel)]
    assert "RTX 4070" in words
    assert any("11.00" in w and "12.00 GiB free" in w for w in words)
    assert {"46 °C", "Driver 570.1"} <= set(words)


def test_that_without_a_card_no_figure_is_shown(window, qtbot):
    shown(window, qtbot)
    window.status.show_card(CardReading(name="No NVIDIA card found"))
    assert not window.status.memory_bar.isVisible()
    assert not window.status._free.isVisible()


def test_that_clicks_in_the_status_bar_are_told(window, qtbot):
    shown(window, qtbot)
    window.status.show_state("Training, 12 min left", IconName.PLAY)
    state = window.status.findChild(QPushButton)
    assert accessible_name(state) == "Training, 12 min left"
    with qtbot.waitSignal(window.status.state_clicked):
        state.click()
    with qtbot.waitSignal(window.status.card_clicked):
        qtbot.mouseClick(window.status.memory_bar, Qt.MouseButton.LeftButton)


def test_that_the_frame_can_be_reached_and_read_aloud(window):
    window.set_projects({"cheese": "Cheese"}, "cheese")
    window.show_page("start")
    assert_reachable(window)


def test_that_the_frame_loads_nothing_heavy():
    code = (
        "import sys, studio.ui.main_window, studio.ui.theme;"
        "heavy = {'torch', 'transformers', 'numpy', 'pyqtgraph'};"
        "print(heavy & set(sys.modules))"
    )
    said = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert said.strip() == "set()"
