"""The Settings page: each choice is saved and applied at once."""

import pytest

from studio.services.preferences import KeepRunning, Preferences, Theme
from studio.ui.pages.settings.page import SettingsPage
from tests.ui.desks import TestDesk, desk
from tests.ui.helpers import assert_reachable

__all__ = ["desk"]


@pytest.fixture
def page(qtbot, desk: TestDesk):
    made = SettingsPage(desk.desk)
    qtbot.addWidget(made)
    made.resize(1072, 768)
    made.show()
    return made


def test_that_a_chosen_theme_is_kept_for_the_next_start(page, desk: TestDesk):
    page.view.theme.choice_changed.emit("dark")
    assert desk.desk.preferences.theme is Theme.DARK
    assert Preferences().theme is Theme.DARK


def test_that_each_answer_about_closing_says_what_it_means(page, desk: TestDesk):
    assert page.view.closing_words.text() == "You are asked each time."
    page.view.closing.choice_changed.emit("yes")
    assert desk.desk.preferences.keep_running is KeepRunning.YES
    assert "goes on by itself" in page.view.closing_words.text()


def test_that_movement_can_be_switched_off(page):
    page.view.reduced_motion.setChecked(True)
    assert Preferences().reduced_motion


def test_that_a_change_from_elsewhere_shows(page, desk: TestDesk):
    desk.desk.preferences.keep_running = "no"
    assert page.view.closing.current() == "no"


def test_that_a_folder_that_is_not_there_yet_is_told(page, desk: TestDesk):
    page.view.cache_folder.open.click()
    assert desk.posted[0].what.startswith("The folder doesn’t exist yet")
    assert desk.posted[0].where == str(desk.desk.folders.cache)


def test_that_a_llama_cpp_is_named_and_looked_for(page, desk: TestDesk, tmp_path):
    words = page.view.llama_cpp_words
    assert words.text().startswith("None is found.")
    (tmp_path / "convert_hf_to_gguf.py").touch()
    page.view.llama_cpp.setText(f" {tmp_path} ")
    page.view.llama_cpp.editingFinished.emit()
    assert desk.desk.preferences.llama_cpp == str(tmp_path)
    assert Preferences().llama_cpp == str(tmp_path)
    assert words.text() == "Found: its converter writes GGUF files."


def test_that_every_control_has_a_name(page):
    assert_reachable(page)
