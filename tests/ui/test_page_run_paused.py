"""The Run page of a paused run: its memory, its wait, and where it helped itself."""

import subprocess

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from studio.domain.hardware import GIB
from studio.services.run_journal import snapshot_of
from studio.services.run_need import RunNeed, need_of, recipe_in_force_of
from studio.ui.pages.run import paused_run as paused_run_module
from studio.ui.pages.run.page import RunPage
from studio.ui.widgets.memory_bar_state import Segment
from tests.services.conftest import fake_engine
from tests.ui.desks import TestDesk, desk, reading_with_card, reading_without_card
from tests.ui.helpers import assert_reachable
from tests.ui.run_stories import finished_run, helped_run, paused_run
from tests.ui.test_page_run import PATIENCE_MS, _drawn, ended, events, shown

__all__ = ["_drawn", "desk"]


@pytest.fixture
def example(desk: TestDesk):
    desk.open_example()
    desk.hardware.tell(reading_with_card())
    return desk.desk.projects.current


def paused(qtbot, desk: TestDesk) -> RunPage:
    page = shown(qtbot, desk)
    qtbot.waitUntil(page.view.ending.going_on.isVisible)
    return page


def test_that_its_memory_is_held_against_what_is_free_now(qtbot, desk, example):
    paused_run(example)
    page = paused(qtbot, desk)
    panel = page.view.ending.going_on
    ending = page.view.ending.text.accessibleName()
    assert ending.endswith(" left once it goes on.")
    assert "10.89 GiB free." in panel.words.accessibleName()
    assert panel.mark.accessibleName() == "Going on: Fits, much room"
    assert panel.bar.state.held(Segment.ACTIVATIONS)
    assert not panel.by_itself.isChecked()
    assert panel.state.accessibleName() == "Only while this window is open."
    desk.hardware.tell(reading_with_card(free=0.5))
    assert panel.mark.mark.words.startswith("Short by ")
    assert panel.remedy.isVisible()


def test_that_a_run_that_is_not_paused_has_no_such_part(qtbot, desk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    assert page.view.ending.isVisible()
    assert not page.view.ending.going_on.isVisible()


def test_that_it_goes_on_by_itself_when_told_to(qtbot, desk, example):
    paused_run(example)
    page = paused(qtbot, desk)
    panel, now = page.view.ending.going_on, [0.0]
    page._paused.wait._clock = lambda: now[0]
    panel.by_itself.setFocus()
    QTest.keyClick(panel.by_itself, Qt.Key.Key_Space)
    assert panel.by_itself.isChecked()
    assert panel.state.accessibleName().startswith("Free: goes on in 10 min 0 s.")
    page.hide()
    for _ in range(30):
        now[0] += 20.0
        desk.hardware.tell(reading_with_card())
    controller = desk.desk.controller
    assert controller.is_running
    ended(qtbot, desk)
    assert desk.posted == []


def test_that_the_wait_can_be_taken_back(qtbot, desk, example):
    paused_run(example)
    page = paused(qtbot, desk)
    panel = page.view.ending.going_on
    panel.by_itself.click()
    desk.hardware.tell(reading_with_card(free=0.5))
    assert panel.state.accessibleName().startswith("Waits: 0.50 GiB are free.")
    panel.by_itself.click()
    assert not panel.by_itself.isChecked()
    assert page._paused.wait.state_for(page._run.snapshot.directory) is None


def test_that_a_wait_that_ends_elsewhere_is_told(qtbot, desk, example):
    run = paused_run(example)
    page = paused(qtbot, desk)
    page.view.ending.going_on.by_itself.click()
    with run.journal_path.open("ab") as journal:
        journal.write(b"\n")
    desk.hardware.tell(reading_with_card())
    assert "so the wait is over" in desk.posted[0].what
    assert not page.view.ending.going_on.by_itself.isChecked()


def test_that_a_run_that_somebody_else_went_on_with_is_followed(qtbot, desk, example):
    run = paused_run(example)
    page = paused(qtbot, desk)
    page.view.ending.going_on.by_itself.click()
    elsewhere = subprocess.Popen(
        fake_engine("steps", run), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        qtbot.waitUntil(lambda: not snapshot_of(run).state.is_over, timeout=PATIENCE_MS)
        desk.hardware.tell(reading_with_card())
        assert "so the wait is over" in desk.posted[0].what
        assert desk.desk.controller.is_running
        assert not page.view.ending.isVisible()
    finally:
        elsewhere.stdin.close()
        elsewhere.wait()
    ended(qtbot, desk)


def test_that_a_wait_in_vain_cannot_be_chosen_and_says_why(qtbot, desk, example):
    paused_run(example)
    desk.hardware.tell(reading_without_card())
    page = paused(qtbot, desk)
    panel = page.view.ending.going_on
    assert not panel.by_itself.isEnabled()
    assert "none answers now" in panel.state.accessibleName()


def test_that_what_was_not_known_is_asked_anew(qtbot, desk, example, monkeypatch):
    def unknown(run, device):
        return RunNeed(example.recipe, device.kind, None, None)

    paused_run(example)
    monkeypatch.setattr(paused_run_module, "need_of", unknown)
    page = paused(qtbot, desk)
    panel = page.view.ending.going_on
    assert not panel.by_itself.isEnabled()
    assert "finds it out by a dry run" in panel.state.accessibleName()
    monkeypatch.setattr(paused_run_module, "need_of", need_of)
    page.hide()
    page.show()
    qtbot.waitUntil(panel.by_itself.isEnabled)


def test_that_every_control_has_a_name_and_its_place(qtbot, desk, example):
    paused_run(example)
    page = paused(qtbot, desk)
    assert_reachable(page)
    panel = page.view.ending.going_on
    page.view.ending.deed_button(page.view.ending._deeds[0]).setFocus()
    page.focusNextChild()
    assert page.focusWidget() is panel.bar
    page.focusNextChild()
    assert page.focusWidget() is panel.by_itself


def test_that_where_it_helped_itself_is_marked_and_told(qtbot, desk, example):
    helped_run(example)
    page = paused(qtbot, desk)
    train = example.recipe.train
    rows, batches = train.micro_batch, train.accumulation
    now, was = f"{rows // 2} × {batches * 2}", f"{rows} × {batches}"
    mark = (40.0, f"less memory: {now} rows")
    charts = page.view.charts
    assert charts.loss._marks._marks == (mark,)
    assert charts.memory._timeline._marks._marks == (mark,)
    assert "behind step 40" in charts.loss.accessibleDescription()
    told = f"step 40: Takes less memory: {now} rows in place of {was}"
    assert told in events(page)
    assert not any("train.micro_batch" in words for words in events(page))


def test_that_the_prediction_is_that_of_the_recipe_in_force(qtbot, desk, example):
    helped_run(example)
    page = paused(qtbot, desk)
    run = page._run
    assert run.recipe == recipe_in_force_of(run.snapshot) != example.recipe
    line = page.view.charts.memory._timeline._prediction
    context = run.estimate.context_bytes
    assert (line.peak, line.since) == (run.estimate.peak_bytes - context, 40.0)
    assert f"× {run.recipe.train.micro_batch}" in (
        page.view.header.facts_label.full_text()
    )
    highest = run.snapshot.peak_in_force_bytes
    assert highest == 3 * GIB // 4 < run.snapshot.peak_bytes
    over = f"{(highest / line.peak - 1) * 100:.1f} % over the prediction"
    assert page.view.memory_mark.mark.words == over


def test_that_another_run_takes_the_marks_away(qtbot, desk, example):
    helped_run(example, began_s_ago=9000.0)
    page = paused(qtbot, desk)
    desk.desk.chosen_run.choose(finished_run(example).path)
    qtbot.waitUntil(lambda: not page.view.charts.loss._marks._marks)
    assert page.view.charts.memory._timeline._marks._marks == ()


def test_that_a_change_on_the_way_is_priced_anew(qtbot, desk, example):
    recipe = example.recipe.with_value("train.micro_batch", 4)
    desk.scene = "runs-out"
    desk.desk.controller.start(example, recipe)
    page = shown(qtbot, desk)
    ended(qtbot, desk)
    told = desk.desk.controller.snapshot
    assert len(told.adaptations) == 1
    assert page._run._known_of == (told.directory, 1)
    assert page.view.charts.loss._marks.words == ("less memory: 2 rows behind step 2",)


def test_that_the_timeline_knows_its_run_from_its_first_reading(qtbot, desk, example):
    paused_run(example)
    page = paused(qtbot, desk)
    timeline = page.view.charts.memory._timeline
    assert timeline._total_steps == 100
    assert timeline._prediction is not None


def test_that_a_card_that_changes_its_free_memory_changes_no_need(qtbot, desk, example):
    paused_run(example)
    page = paused(qtbot, desk)
    offer = page.view.ending.going_on.by_itself.text()
    desk.hardware.tell(reading_with_card(free=2.0))
    assert page.view.ending.going_on.by_itself.text() == offer
