"""The Start page: from nothing to a running example in one press."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from studio.ui.pages.start.page import StartPage
from tests.ui.desks import TestDesk, desk, reading_with_card, reading_without_card
from tests.ui.helpers import assert_reachable

__all__ = ["desk"]


@pytest.fixture
def page(qtbot, desk: TestDesk):
    made = StartPage(desk.desk)
    qtbot.addWidget(made)
    made.resize(1072, 768)
    made.show()
    qtbot.waitUntil(lambda: not made._recent.is_running)
    return made


def test_that_before_the_first_reading_nothing_is_measured_and_nothing_starts(page):
    assert page.view.answer_title.text() == "Looking at this computer"
    assert page.view.memory.state is None
    assert not page.view.tune_example.isEnabled()
    assert page.view.example_note.text()


def test_that_a_card_is_named_with_what_is_free(page, desk: TestDesk):
    desk.hardware.tell(reading_with_card(free=10.89))
    assert page.view.answer_title.text() == "GeForce RTX 4070 with 10.89 GiB free"
    assert page.view.tune_example.isEnabled()


def test_that_without_a_card_the_page_says_what_can_still_be_done(page, desk: TestDesk):
    desk.hardware.tell(reading_without_card())
    assert page.view.answer_title.text() == "No NVIDIA card found"
    assert "train the example on the processor" in page.view.answer_words.text()


def test_that_one_press_starts_the_example_and_shows_the_run(
    page, desk: TestDesk, qtbot
):
    desk.hardware.tell(reading_without_card())
    with qtbot.waitSignal(desk.desk.controller.run_ended, timeout=20_000):
        page.view.tune_example.click()
        assert desk.visited == ["run"]
        assert not page.view.tune_example.isEnabled()
    assert desk.desk.projects.current.name == "Cheesemonger"
    assert desk.desk.controller.snapshot.name == "cheesemonger-1"
    assert page.view.tune_example.isEnabled()


def test_that_a_finished_run_appears_among_the_recent_ones(page, desk: TestDesk, qtbot):
    assert page.view.no_runs.isVisible()
    desk.hardware.tell(reading_without_card())
    with qtbot.waitSignal(desk.desk.controller.run_ended, timeout=20_000):
        page.view.tune_example.click()
    qtbot.waitUntil(lambda: page.view.runs.rowCount() == 1)
    cells = [page.view.runs.index(0, column).data() for column in range(6)]
    assert cells[:4] == ["cheesemonger-1", "SmolLM2-135M", "Finished", "not measured"]
    assert page.view.runs_card.isVisible()
    assert page.view.no_runs.isHidden()


def test_that_a_refused_start_is_told_beside_the_button(page, desk: TestDesk):
    desk.open_example()
    desk.desk.projects.current.set_value("data.path", "/nowhere/chats.jsonl")
    desk.hardware.tell(reading_without_card())
    page.view.tune_example.click()
    card = page.view.findings.itemAt(0).widget()
    assert card.text.what == "There is no such data file."
    assert desk.visited == []


def test_that_a_new_project_asks_its_name_and_goes_on_to_the_model(
    page, desk: TestDesk
):
    page.view.new_project.click()
    assert page.view.naming.isVisible()
    page.view.naming.name.setText("Support replies")
    page.view.naming.make.click()
    assert desk.desk.projects.current.name == "Support replies"
    assert desk.visited == ["model"]
    assert page.view.own_idle.isVisible()


@pytest.mark.parametrize("name", ["", "   "])
def test_that_a_blank_name_is_refused_in_place(page, desk: TestDesk, name):
    page.view.new_project.click()
    page.view.naming.name.setText(name)
    page.view.naming.make.click()
    assert "A project needs a name." in page.view.naming.error.text()
    assert desk.desk.projects.current is None


def test_that_a_second_project_of_the_same_name_is_refused(page, desk: TestDesk):
    desk.desk.projects.create("Support replies")
    page.ask_for_name()
    page.view.naming.name.setText("Support replies")
    page.view.naming.make.click()
    assert "already" in page.view.naming.error.text()
    assert len(desk.desk.projects.all()) == 1


def test_that_a_dropped_file_becomes_the_data_of_the_open_project_if_so_answered(
    page, desk: TestDesk, tmp_path
):
    chats = tmp_path / "chats.jsonl"
    chats.write_text('{"question": "Why?", "answer": "So."}\n', encoding="utf-8")
    desk.desk.projects.create("Support replies")
    page.ask_about_file(str(chats))
    assert page.view.dropped.file_name.full_text() == "chats.jsonl"
    page.view.dropped.use_here.click()
    assert desk.desk.projects.current.recipe.data.path == str(chats)
    assert desk.visited == ["data"]


def test_that_a_dropped_file_without_a_project_becomes_one_of_its_own(
    page, desk: TestDesk, tmp_path
):
    chats = tmp_path / "chats.jsonl"
    chats.write_text('{"question": "Why?", "answer": "So."}\n', encoding="utf-8")
    page.ask_about_file(str(chats))
    assert page.view.naming.name.text() == "chats"
    QTest.keyClick(page.view.naming.name, Qt.Key.Key_Return)
    assert desk.desk.projects.current.recipe.data.path == str(chats)
    assert desk.visited == ["data"]


def test_that_cancelling_changes_nothing(page, desk: TestDesk):
    page.view.new_project.click()
    page.view.naming.cancel.click()
    assert page.view.own_idle.isVisible()
    assert desk.desk.projects.all() == []


def test_that_a_listed_project_opens_by_a_click(page, desk: TestDesk):
    desk.desk.projects.create("First")
    desk.desk.projects.create("Second")
    place = page.view.projects.row_of("first")
    page.view.projects_table.clicked.emit(page.view.projects.index(place, 0))
    assert desk.desk.projects.current.name == "First"


def test_that_every_control_has_a_name(page):
    assert_reachable(page)
