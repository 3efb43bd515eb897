"""The Runs page: what was trained, opened, deleted and pointed at."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtTest import QTest

from studio.domain.errors import refusal
from studio.ui.pages.runs.page import RunsPage
from tests.ui.desks import TestDesk, desk, reading_without_card
from tests.ui.helpers import assert_reachable
from tests.ui.run_stories import failed_run, finished_run, lost_run

__all__ = ["desk"]


@pytest.fixture
def example(desk: TestDesk):
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    return desk.desk.projects.current


def shown(qtbot, desk: TestDesk) -> RunsPage:
    page = RunsPage(desk.desk)
    qtbot.addWidget(page)
    page.resize(1072, 768)
    page.show()
    settled(qtbot, page)
    return page


def settled(qtbot, page: RunsPage) -> None:
    qtbot.waitUntil(lambda: not page._read.is_running and not page._deletion.is_running)


def cells(page: RunsPage, row: int) -> list[str]:
    rows = page.view.rows
    return [rows.index(row, column).data() for column in range(rows.columnCount())]


def test_that_without_runs_the_page_says_what_will_be_kept(
    qtbot, desk: TestDesk, example
):
    page = shown(qtbot, desk)
    assert page.view.empty.headline.text() == "No runs yet"
    assert not page.view.filled.isVisible()
    page.view.to_recipe.click()
    assert desk.visited == ["recipe"]


def test_that_the_page_says_that_it_reads_and_not_that_there_is_nothing(
    qtbot, desk: TestDesk, example
):
    page = RunsPage(desk.desk)
    qtbot.addWidget(page)
    page.show()
    assert page.view.header.facts_label.full_text() == "Reading the runs"
    assert not page.view.empty.isVisible()
    settled(qtbot, page)
    assert page.view.header.facts_label.full_text() == ""


def test_that_a_folder_that_can_not_be_read_is_told_once(
    qtbot, desk: TestDesk, example, monkeypatch
):
    asked = []

    def refuse(project: Path) -> None:
        asked.append(project)
        raise refusal("disk.gone", "The disk is gone.", fix="Plug it in.")

    monkeypatch.setattr("studio.ui.pages.runs.page.told_runs", refuse)
    page = shown(qtbot, desk)
    assert page.view.findings.itemAt(0).widget().text.what == "The disk is gone."
    assert len(asked) == 1
    assert page.view.header.facts_label.full_text() == ""


def test_that_runs_are_listed_newest_first(qtbot, desk: TestDesk, example):
    failed_run(example, began_s_ago=9000.0)
    finished_run(example)
    page = shown(qtbot, desk)
    assert page.view.header.facts_label.full_text() == "2 runs, 1 finished"
    name, model, outcome, held_out, steps, *_ = cells(page, 0)
    assert (name, model, outcome) == ("cheesemonger-2", "SmolLM2-135M", "Finished")
    assert (held_out, steps) == ("2.500 → 1.250", "25")
    assert cells(page, 1)[2:5] == ["Failed", "2.500 → –", "10 of 100"]


def test_that_enter_opens_the_run(qtbot, desk: TestDesk, example):
    run = finished_run(example)
    page = shown(qtbot, desk)
    page.view.table.setFocus()
    QTest.keyClick(page.view.table, Qt.Key.Key_Return)
    assert desk.visited == ["run"]
    assert desk.desk.chosen_run.directory == run.path


def test_that_only_a_run_with_an_adapter_leads_to_a_result(
    qtbot, desk: TestDesk, example
):
    lost_run(example, began_s_ago=9000.0)
    finished_run(example)
    page = shown(qtbot, desk)
    assert page.view.export.isVisible()
    page.view.export.click()
    assert desk.visited == ["export"]
    page.view.table.selectRow(1)
    assert not page.view.export.isVisible()


def test_that_deleting_asks_and_cancel_keeps_the_run(qtbot, desk: TestDesk, example):
    run = finished_run(example)
    page = shown(qtbot, desk)
    page.view.delete.click()
    assert page.question.isVisible()
    assert page.question.back.hasFocus() or page.question.back.isVisible()
    page.question.back.click()
    assert run.path.is_dir()
    assert page.question is None


def test_that_a_deleted_run_is_gone_from_the_list_and_the_disk(
    qtbot, desk: TestDesk, example
):
    run = finished_run(example)
    failed_run(example, began_s_ago=9000.0)
    desk.desk.chosen_run.choose(run.path)
    page = shown(qtbot, desk)
    page.view.table.setFocus()
    QTest.keyClick(page.view.table, Qt.Key.Key_Delete)
    page.question.deed.click()
    settled(qtbot, page)
    qtbot.waitUntil(lambda: page.view.rows.rowCount() == 1)
    assert not run.path.exists()
    assert desk.desk.chosen_run.directory is None


def test_that_a_run_that_goes_on_can_not_be_deleted(qtbot, desk: TestDesk, example):
    desk.scene = "steps"
    controller = desk.desk.controller
    controller.start(example, example.recipe)
    qtbot.waitUntil(lambda: bool(controller.snapshot.steps), timeout=20_000)
    page = shown(qtbot, desk)
    assert cells(page, 0)[2] == "Running"
    assert not page.view.delete.isEnabled()
    assert page.view.note.text() == "It is going on; stop it to delete it."
    controller.stop()
    qtbot.waitUntil(lambda: not controller.is_running, timeout=20_000)
    qtbot.waitUntil(lambda: cells(page, 0)[2] == "Stopped by you")
    assert page.view.delete.isEnabled()


def test_that_a_paused_run_goes_on_from_the_list(qtbot, desk: TestDesk, example):
    desk.scene = "steps"
    controller = desk.desk.controller
    controller.start(example, example.recipe)
    qtbot.waitUntil(lambda: bool(controller.snapshot.steps), timeout=20_000)
    page = shown(qtbot, desk)
    assert not page.view.go_on.isVisible()
    controller.pause()
    qtbot.waitUntil(lambda: not controller.is_running, timeout=20_000)
    qtbot.waitUntil(lambda: cells(page, 0)[2] == "Paused")
    step = controller.snapshot.step
    page.view.go_on.click()
    assert desk.visited[-1] == "run"
    qtbot.waitUntil(lambda: controller.snapshot.step > step, timeout=20_000)
    controller.stop()
    qtbot.waitUntil(lambda: not controller.is_running, timeout=20_000)
    settled(qtbot, page)


def test_that_the_row_of_a_run_that_goes_on_is_kept_up_to_date(
    qtbot, desk: TestDesk, example
):
    desk.scene = "steps"
    controller = desk.desk.controller
    controller.start(example, example.recipe)
    page = shown(qtbot, desk)
    qtbot.waitUntil(lambda: page.view.rows.rowCount() == 1)
    qtbot.waitUntil(lambda: " of 1,000" in cells(page, 0)[4], timeout=20_000)
    before = cells(page, 0)[4]
    qtbot.waitUntil(lambda: cells(page, 0)[4] != before, timeout=20_000)
    controller.stop()
    qtbot.waitUntil(lambda: not controller.is_running, timeout=20_000)
    settled(qtbot, page)
    page.hide()


def test_that_a_run_deleted_elsewhere_is_told_in_a_sentence(
    qtbot, desk: TestDesk, example
):
    run = finished_run(example)
    page = shown(qtbot, desk)
    run.recipe_path.unlink()
    page.view.copy_recipe.click()
    settled(qtbot, page)
    card = page.view.findings.itemAt(0).widget()
    assert "no run" in card.text.what


def test_that_the_recipes_path_is_copied(qtbot, desk: TestDesk, example):
    run = finished_run(example)
    page = shown(qtbot, desk)
    page.view.copy_recipe.click()
    assert QGuiApplication.clipboard().text() == str(run.recipe_path)
    assert page.view.note.text() == f"Copied: {Path(run.name) / 'recipe.toml'}"


def test_that_the_folder_is_opened(qtbot, desk: TestDesk, example, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    run = finished_run(example)
    shown(qtbot, desk).view.open_folder.click()
    assert [url.toLocalFile() for url in opened] == [str(run.path)]


def test_that_another_project_lists_its_own_runs(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    desk.desk.projects.create("Another")
    qtbot.waitUntil(page.view.empty.isVisible)


def test_that_every_control_of_the_runs_page_has_a_name(qtbot, desk: TestDesk, example):
    finished_run(example)
    assert_reachable(shown(qtbot, desk))
