"""The Run page of a run that the system killed: going on in less memory."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from studio.domain.run import RunState
from studio.services.leading import AGAIN
from studio.services.process_outcome import CANCELLED
from studio.services.run_controller import RunController
from studio.services.run_journal import snapshot_of
from studio.ui.pages.run.endings import NextDeed
from studio.ui.pages.run.page import RunPage
from tests.ui.desks import TestDesk, desk, reading_with_card, reading_without_card
from tests.ui.helpers import assert_reachable
from tests.ui.run_stories import Story, finished_run, lost_run, paused_run
from tests.ui.test_page_run import PATIENCE_MS, _drawn, ended, shown

__all__ = ["_drawn", "desk"]

HALF = "akes 4 rows at a time instead of 8, twice as often; it learns the same."


@pytest.fixture
def example(desk: TestDesk):
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    project = desk.desk.projects.current
    project.set_value("train.micro_batch", 8)
    return project


def less(page: RunPage):
    return page.view.ending.deed_button(NextDeed.RESUME_LESS)


def test_that_a_killed_run_offers_less_memory_and_says_what_that_changes(
    qtbot, desk: TestDesk, example
):
    lost_run(example)
    page = shown(qtbot, desk)
    assert less(page).isVisible()
    assert less(page).text() == "Go on in less memory"
    assert (less(page).toolTip(), less(page).accessibleDescription()) == (
        f"T{HALF}",
        f"T{HALF}",
    )
    text = page.view.ending.text.accessibleName()
    assert text.endswith(f"If memory ran out, “Go on in less memory” t{HALF}")


def test_that_it_does_what_the_flag_of_the_command_line_does(
    qtbot, desk: TestDesk, example
):
    desk.scene = "killed-until-less"
    controller = desk.desk.controller
    controller.start(example, example.recipe)
    page = shown(qtbot, desk)
    ended(qtbot, desk)
    assert "signal 9" in page.view.ending.headline.text()
    page.view.ending.deed_button(NextDeed.RESUME).click()
    ended(qtbot, desk)
    assert not controller.snapshot.adaptations
    less(page).setFocus()
    QTest.keyClick(less(page), Qt.Key.Key_Space)
    assert not page.view.ending.isVisible()
    ended(qtbot, desk)
    assert tuple(controller._options) == AGAIN
    assert controller.snapshot.state is RunState.FINISHED
    assert len(controller.snapshot.adaptations) == 1
    assert not less(page).isVisible()
    assert desk.posted == []


def test_that_the_space_bar_still_goes_on_as_before(qtbot, desk: TestDesk, example):
    desk.scene = "killed-until-less"
    controller = desk.desk.controller
    controller.start(example, example.recipe)
    page = shown(qtbot, desk)
    ended(qtbot, desk)
    QTest.keyClick(page, " ")
    assert "--save-memory" not in controller._options
    ended(qtbot, desk)


def checkpointed(qtbot, desk: TestDesk) -> RunController:
    controller = desk.desk.controller
    qtbot.waitUntil(lambda: controller.snapshot.step >= 1, timeout=PATIENCE_MS)
    controller.save_now()
    qtbot.waitUntil(lambda: bool(controller.snapshot.checkpoints), timeout=PATIENCE_MS)
    return controller


@pytest.mark.parametrize("rung", ["end_now", "kill"])
def test_that_a_run_that_its_user_ended_is_not_offered_less_memory(
    qtbot, desk: TestDesk, example, rung
):
    desk.scene = "steps"
    desk.desk.controller.start(example, example.recipe)
    page = shown(qtbot, desk)
    controller = checkpointed(qtbot, desk)
    getattr(page.view, rung).click()
    ended(qtbot, desk)
    assert controller.snapshot.state is RunState.LOST
    assert page.view.ending.deed_button(NextDeed.RESUME).isVisible()
    assert "ended by force" in page.view.ending.headline.text()
    assert not less(page).isVisible()
    opened_again = shown(qtbot, desk)
    assert opened_again.view.ending.isVisible()
    assert not less(opened_again).isVisible()
    read_anew = snapshot_of(controller.directory)
    assert (read_anew.state, read_anew.failure.code) == (RunState.LOST, CANCELLED)


def test_that_a_run_whose_end_was_ordered_is_not_offered_it_either(
    qtbot, desk: TestDesk, example
):
    # It doesn't hear of the order, so that it is ended by force.
    desk.scene = "saved-and-deaf"
    controller = desk.desk.controller
    controller._grace_s = 0.1
    controller.start(example, example.recipe)
    page = shown(qtbot, desk)
    qtbot.waitUntil(lambda: bool(controller.snapshot.checkpoints), timeout=PATIENCE_MS)
    controller.stop()
    ended(qtbot, desk)
    assert "ended by force" in page.view.ending.headline.text()
    assert not less(page).isVisible()
    assert snapshot_of(controller.directory).failure.code == CANCELLED


def test_that_nothing_is_offered_where_nothing_can_be_lowered(
    qtbot, desk: TestDesk, example
):
    example.set_value("train.micro_batch", 1)
    example.set_value("train.checkpointing", True)
    lost_run(example)
    page = shown(qtbot, desk)
    assert page.view.ending.deed_button(NextDeed.RESUME).isVisible()
    assert not less(page).isVisible()
    assert "less memory" not in page.view.ending.text.accessibleName()


@pytest.mark.parametrize("tell", [finished_run, paused_run])
def test_that_a_run_that_said_how_it_ended_is_offered_nothing(
    qtbot, desk: TestDesk, example, tell
):
    tell(example)
    page = shown(qtbot, desk)
    assert page.view.ending.isVisible()
    assert not less(page).isVisible()


def test_that_another_run_takes_the_offer_away(qtbot, desk: TestDesk, example):
    lost_run(example)
    page = shown(qtbot, desk)
    assert less(page).isVisible()
    desk.desk.chosen_run.choose(finished_run(example).path)
    qtbot.waitUntil(lambda: not less(page).isVisible())
    assert less(page).toolTip() == ""


def test_that_it_is_reached_by_tab_before_going_on(qtbot, desk: TestDesk, example):
    lost_run(example)
    page = shown(qtbot, desk)
    assert_reachable(page)
    page.view.ending.deed_button(NextDeed.FOLDER).setFocus()
    page.focusNextChild()
    assert page.focusWidget() is less(page)
    page.focusNextChild()
    assert page.focusWidget() is page.view.ending.deed_button(NextDeed.RESUME)


def test_that_a_run_on_a_card_is_not_offered_what_spares_the_card(
    qtbot, desk: TestDesk, example
):
    story = Story(example)
    story.train(5, 100, reserved=1 << 29)
    desk.hardware.tell(reading_with_card())
    page = shown(qtbot, desk)
    assert page.view.ending.deed_button(NextDeed.RESUME).isVisible()
    assert not less(page).isVisible()


def test_that_it_is_offered_and_priced_once_the_machine_was_read(
    qtbot, desk: TestDesk, example
):
    desk.hardware._latest = None
    lost_run(example)
    page = shown(qtbot, desk)
    assert not less(page).isVisible()
    desk.hardware.tell(reading_without_card())
    qtbot.waitUntil(less(page).isVisible, timeout=PATIENCE_MS)
