"""The Run page: a run followed live, opened from disk, stopped, and ended."""

import shutil

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest

from studio.domain.run import RunState
from studio.services.process_outcome import Ordered
from studio.services.run_journal import snapshot_of
from studio.ui.charts.feed import shared_feed
from studio.ui.pages.run.endings import NextDeed
from studio.ui.pages.run.page import RunPage
from studio.ui.tokens import Space
from tests.ui.desks import TestDesk, desk, reading_without_card
from tests.ui.helpers import assert_reachable
from tests.ui.run_stories import (
    PROMPTS,
    failed_run,
    finished_run,
    judged_run,
    lost_run,
)

__all__ = ["desk"]
PATIENCE_MS = 20_000


@pytest.fixture
def example(desk: TestDesk):
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    return desk.desk.projects.current


@pytest.fixture(autouse=True)
def _drawn():
    """Draws what the charts still wait for, so that their timer ends."""
    yield
    shared_feed().drain()


def shown(qtbot, desk: TestDesk) -> RunPage:
    page = RunPage(desk.desk)
    qtbot.addWidget(page)
    page.resize(1072, 768)
    page.show()
    qtbot.waitUntil(lambda: not page._run.is_reading)
    return page


def test_that_a_run_on_pairs_tells_how_often_the_better_answer_is_preferred(
    qtbot, example, desk: TestDesk
):
    run = judged_run(example)
    page = shown(qtbot, desk)
    assert page.view.header.facts_label.full_text().startswith(run.name)
    tile = page.view.tiles["Better preferred"]
    assert tile.value_label.text() == "88 %"
    assert not tile.isHidden()


def test_that_a_run_on_examples_has_no_figure_of_pairs(qtbot, example, desk: TestDesk):
    finished_run(example)
    page = shown(qtbot, desk)
    assert page.view.tiles["Better preferred"].isHidden()


def started(qtbot, desk: TestDesk, scene: str) -> RunPage:
    desk.scene = scene
    project = desk.desk.projects.current
    desk.desk.controller.start(project, project.recipe)
    return shown(qtbot, desk)


def ended(qtbot, desk: TestDesk) -> None:
    qtbot.waitUntil(lambda: not desk.desk.controller.is_running, timeout=PATIENCE_MS)


def events(page: RunPage) -> list[str]:
    return [row.accessibleName() for row in page.view.happenings._column.rows()]


def test_that_without_a_run_the_page_leads_to_the_recipe(
    qtbot, desk: TestDesk, example
):
    page = shown(qtbot, desk)
    assert page.view.empty.isVisible()
    assert not page.view.stop.isVisible()
    page.view.to_recipe.click()
    assert desk.visited == ["recipe"]


def test_that_the_page_says_that_it_reads(qtbot, desk: TestDesk, example):
    page = RunPage(desk.desk)
    qtbot.addWidget(page)
    page.show()
    assert page.view.header.facts_label.full_text() == "Reading the run"
    qtbot.waitUntil(lambda: not page._run.is_reading)
    assert page.view.header.facts_label.full_text() == ""


def test_that_charts_are_made_with_the_first_run(qtbot, desk: TestDesk, example):
    page = shown(qtbot, desk)
    assert page.view.charts is None
    finished_run(example)
    page._run.look_again()
    qtbot.waitUntil(lambda: page.view.charts is not None)


def test_that_the_newest_run_is_shown_from_disk(qtbot, desk: TestDesk, example):
    failed_run(example, began_s_ago=9000.0)
    finished_run(example)
    page = shown(qtbot, desk)
    assert page.view.header.facts_label.full_text().startswith("cheesemonger-2 · ")
    assert page.view.ending.headline.text().startswith("Finished 25 steps in ")
    assert page.view.ending.text.accessibleName() == (
        "Held-out loss 2.500 before, 1.250 after: 50 % lower. The adapter is saved."
    )
    assert not page.view.progress.isVisible()
    assert page.view.charts.loss.latest() == pytest.approx(1.5)
    assert page.view.tiles["Held-out loss"].value_label.text() == "1.250"
    assert not page._clock.isActive()


def test_that_a_chosen_run_is_shown_instead_of_the_newest(
    qtbot, desk: TestDesk, example
):
    older = failed_run(example, began_s_ago=9000.0)
    finished_run(example)
    page = shown(qtbot, desk)
    desk.desk.chosen_run.choose(older.path)
    qtbot.waitUntil(lambda: page.view.ending.headline.text().startswith("Step 11"))
    assert "Saved up to step 10." in page.view.ending.text.accessibleName()
    assert page.view.charts.loss.latest() == pytest.approx(2.4)


def test_that_the_result_is_one_press_away(qtbot, desk: TestDesk, example):
    run = finished_run(example)
    page = shown(qtbot, desk)
    page.view.ending.deed_button(NextDeed.RESULT).click()
    assert desk.visited == ["export"]
    assert desk.desk.chosen_run.directory == run.path


def test_that_a_lost_run_says_so_and_opens_its_folder(
    qtbot, desk: TestDesk, example, monkeypatch
):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    run = lost_run(example)
    page = shown(qtbot, desk)
    assert "without a word" in page.view.ending.headline.text()
    page.view.ending.deed_button(NextDeed.FOLDER).click()
    assert [url.toLocalFile() for url in opened] == [str(run.path)]


@pytest.mark.parametrize(("width", "is_below"), [(800, True), (1600, False)])
def test_that_buttons_stand_below_the_words_that_they_would_squeeze(
    qtbot, desk: TestDesk, example, width, is_below
):
    lost_run(example)
    page = shown(qtbot, desk)
    page.resize(width, 768)
    ending = page.view.ending
    resume = ending.deed_button(NextDeed.RESUME)
    qtbot.waitUntil(lambda: (resume.y() >= ending.text.geometry().bottom()) is is_below)
    assert ending.text.width() >= 560
    right = ending.contentsRect().right() - resume.geometry().right()
    assert 0 < right <= 2 * Space.LARGE


def test_that_answers_before_and_after_can_be_compared(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    samples = page.view.samples
    assert samples.answer.toPlainText() == f"Tuned: {PROMPTS[0]}"
    samples.which._buttons["before"].click()
    assert samples.answer.toPlainText() == f"Base: {PROMPTS[0]}"
    samples.prompts.setCurrentIndex(1)
    assert samples.answer.toPlainText() == f"Base: {PROMPTS[1]}"


def test_that_events_are_listed_newest_first(qtbot, desk: TestDesk, example):
    finished_run(example)
    listed = events(shown(qtbot, desk))
    assert listed[0] == "end: Adapter saved"
    assert listed[-1] == "start: 2 prompts answered"
    assert "step 25: Held-out loss 1.250, best so far" in listed


def test_that_a_live_run_is_followed_to_its_end(qtbot, desk: TestDesk, example):
    page = started(qtbot, desk, "normal")
    ended(qtbot, desk)
    assert page.view.ending.isVisible()
    assert page.view.ending.headline.text().startswith("Finished 5 steps")
    assert page.view.charts.loss.latest() == pytest.approx(0.6)
    assert not page._clock.isActive()


def test_that_speed_is_measured_before_time_is_told(qtbot, desk: TestDesk, example):
    page = started(qtbot, desk, "steps")
    answer = page.view.progress._answer
    qtbot.waitUntil(
        lambda: answer.text().startswith("Measuring speed, "), timeout=PATIENCE_MS
    )
    qtbot.waitUntil(lambda: answer.text().endswith(" left"), timeout=PATIENCE_MS)
    assert page._clock.isActive()
    desk.desk.controller.stop()
    ended(qtbot, desk)


def test_that_stopping_asks_and_can_be_taken_back(qtbot, desk: TestDesk, example):
    page = started(qtbot, desk, "steps")
    qtbot.waitUntil(page.view.save_now.isVisible, timeout=PATIENCE_MS)
    page.view.stop.click()
    question = page.question
    assert question.isVisible()
    question.back.click()
    assert page.question is None
    assert desk.desk.controller.is_running
    page.view.stop.click()
    page.question.deed.click()
    ended(qtbot, desk)
    assert desk.desk.controller.snapshot.state is RunState.STOPPED
    assert page.view.ending.headline.text().startswith("Stopped after step ")


def test_that_the_question_goes_when_the_run_ends_by_itself(
    qtbot, desk: TestDesk, example
):
    page = started(qtbot, desk, "steps")
    qtbot.waitUntil(page.view.stop.isVisible, timeout=PATIENCE_MS)
    page.view.stop.click()
    desk.desk.controller.kill()
    ended(qtbot, desk)
    assert page.question is None
    assert page.view.ending.isVisible()


def test_that_a_deleted_run_is_not_shown_any_more(qtbot, desk: TestDesk, example):
    page = started(qtbot, desk, "normal")
    ended(qtbot, desk)
    shutil.rmtree(desk.desk.controller.snapshot.directory)
    page.hide()
    page.show()
    qtbot.waitUntil(page.view.empty.isVisible)


def test_that_save_now_saves_a_checkpoint(qtbot, desk: TestDesk, example):
    page = started(qtbot, desk, "steps")
    qtbot.waitUntil(page.view.save_now.isVisible, timeout=PATIENCE_MS)
    QTest.keySequence(page.view.stop, "Ctrl+S")
    controller = desk.desk.controller
    qtbot.waitUntil(lambda: bool(controller.snapshot.checkpoints), timeout=PATIENCE_MS)
    qtbot.waitUntil(
        lambda: any("Checkpoint saved" in words for words in events(page)),
        timeout=PATIENCE_MS,
    )
    controller.stop()
    ended(qtbot, desk)


def test_that_a_run_is_paused_and_gone_on_with(qtbot, desk: TestDesk, example):
    page = started(qtbot, desk, "steps")
    controller = desk.desk.controller
    qtbot.waitUntil(page.view.save_now.isVisible, timeout=PATIENCE_MS)
    page.view.pause.click()
    ended(qtbot, desk)
    paused = controller.snapshot
    assert paused.state is RunState.PAUSED
    assert page.view.ending.headline.text() == f"Paused behind step {paused.step:,}"
    go_on = page.view.ending.deed_button(NextDeed.RESUME)
    assert go_on.isVisible()
    go_on.click()
    assert not page.view.ending.isVisible()
    qtbot.waitUntil(lambda: controller.snapshot.step > paused.step, timeout=PATIENCE_MS)
    assert controller.snapshot.steps[0] == paused.steps[0]
    controller.stop()
    ended(qtbot, desk)
    assert page.view.ending.deed_button(NextDeed.RESULT).isVisible()
    assert page.view.ending.deed_button(NextDeed.RESUME).isVisible()


def test_that_the_space_bar_pauses_and_goes_on_unless_a_button_has_it(
    qtbot, desk: TestDesk, example
):
    page = started(qtbot, desk, "steps")
    controller = desk.desk.controller
    qtbot.waitUntil(page.view.save_now.isVisible, timeout=PATIENCE_MS)
    page.view.save_now.setFocus()
    QTest.keyClick(page.view.save_now, " ")
    qtbot.waitUntil(lambda: bool(controller.snapshot.checkpoints), timeout=PATIENCE_MS)
    assert controller.ordered is Ordered.NOTHING
    page.view.save_now.clearFocus()
    QTest.keyClick(page, " ")
    ended(qtbot, desk)
    step = controller.snapshot.step
    assert controller.snapshot.state is RunState.PAUSED
    QTest.keyClick(page, " ")
    qtbot.waitUntil(lambda: controller.snapshot.step > step, timeout=PATIENCE_MS)
    controller.stop()
    ended(qtbot, desk)


def test_that_a_changed_run_goes_on_all_the_same(qtbot, desk: TestDesk, example):
    page = started(qtbot, desk, "changed")
    controller = desk.desk.controller
    qtbot.waitUntil(page.view.save_now.isVisible, timeout=PATIENCE_MS)
    page.view.pause.click()
    ended(qtbot, desk)
    page.view.ending.deed_button(NextDeed.RESUME).click()
    ended(qtbot, desk)
    assert "Since step 5 the data changed" in page.view.ending.headline.text()
    page.view.ending.deed_button(NextDeed.RESUME_CHANGED).click()
    step = controller.snapshot.step
    qtbot.waitUntil(lambda: controller.snapshot.step > step, timeout=PATIENCE_MS)
    controller.stop()
    ended(qtbot, desk)


def test_that_the_ladder_of_stopping_can_be_climbed(qtbot, desk: TestDesk, example):
    page = started(qtbot, desk, "stuck")
    controller = desk.desk.controller
    qtbot.waitUntil(
        lambda: controller.snapshot.state is RunState.RUNNING, timeout=PATIENCE_MS
    )
    page._on_stop_confirmed()
    answer = page.view.progress._answer
    assert answer.text() == "Stopping after this step"
    assert page.view.end_now.isVisible()
    assert not page.view.stop.isVisible()
    page.view.end_now.click()
    assert answer.text() == "Ending the process"
    assert not page.view.end_now.isVisible()
    page.view.kill.click()
    ended(qtbot, desk)
    assert page.view.ending.isVisible()
    assert "ended by force" in page.view.ending.headline.text()


def test_that_a_hidden_page_draws_nothing(qtbot, desk: TestDesk, example):
    page = started(qtbot, desk, "steps")
    qtbot.waitUntil(page._clock.isActive, timeout=PATIENCE_MS)
    page.hide()
    assert not page._clock.isActive()
    desk.desk.controller.stop()
    ended(qtbot, desk)
    assert not page.view.ending.isVisible()
    page.show()
    assert page.view.ending.isVisible()


def test_that_a_chosen_run_is_shown_and_its_missing_engine_told(
    qtbot, desk: TestDesk, example
):
    page = started(qtbot, desk, "steps")
    controller = desk.desk.controller
    qtbot.waitUntil(lambda: bool(controller.snapshot.steps), timeout=PATIENCE_MS)
    copy = example.directory / "runs" / "cheesemonger-7"
    shutil.copytree(controller.snapshot.directory, copy)
    controller.stop()
    ended(qtbot, desk)
    desk.desk.chosen_run.choose(copy)
    qtbot.waitUntil(
        lambda: page.view.header.facts_label.full_text().startswith("cheesemonger-7")
    )
    assert "without a word" in page.view.ending.headline.text()


def test_that_another_project_shows_its_own_run(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    assert page.view.filled.isVisible()
    desk.desk.projects.create("Another")
    qtbot.waitUntil(page.view.empty.isVisible)


def test_that_the_page_tells_the_same_as_the_journal(qtbot, desk: TestDesk, example):
    page = started(qtbot, desk, "normal")
    ended(qtbot, desk)
    live = page._run.snapshot
    told = snapshot_of(desk.desk.controller.directory)
    assert (live.steps, live.state, live.checkpoints) == (
        told.steps,
        told.state,
        told.checkpoints,
    )


def test_that_prompts_from_a_data_file_are_never_markup(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    answer = page.view.samples.answer
    answer.setPlainText("<b>bold</b>")
    assert answer.toPlainText() == "<b>bold</b>"
    assert page.view.ending.headline.textFormat() is Qt.TextFormat.PlainText


def test_that_every_control_of_the_run_page_has_a_name(qtbot, desk: TestDesk, example):
    finished_run(example)
    assert_reachable(shown(qtbot, desk))
