"""The Export page: the adapter copied, the model merged, both models asked."""

import sys
from pathlib import Path

import pytest
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from studio.services.engine_task import EngineTask
from studio.ui.pages.export.page import ExportPage
from tests.ui.desks import TestDesk, desk, reading_without_card
from tests.ui.helpers import assert_reachable
from tests.ui.run_stories import PROMPTS, failed_run, finished_run

__all__ = ["desk"]
PATIENCE_MS = 20_000
PLAYED = Path(__file__).with_name("played_verbs.py")


def played_task(verb: str, *arguments: str, log_path: Path) -> EngineTask:
    command = [sys.executable, str(PLAYED), verb, *arguments]
    return EngineTask(verb, command=command, log_path=log_path)


@pytest.fixture
def example(desk: TestDesk):
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    return desk.desk.projects.current


def shown(qtbot, desk: TestDesk) -> ExportPage:
    page = ExportPage(desk.desk, task_for=played_task)
    qtbot.addWidget(page)
    page.resize(1072, 768)
    page.show()
    settled(qtbot, page)
    return page


def settled(qtbot, page: ExportPage) -> None:
    qtbot.waitUntil(
        lambda: (
            not any(
                job.is_running
                for job in (page._read, page._copy, page.merging.job, page.asking.job)
            )
        ),
        timeout=PATIENCE_MS,
    )


def finding(page: ExportPage) -> str:
    return page.view.findings.itemAt(0).widget().text.what


def ask(page: ExportPage, prompt: str) -> None:
    page.view.trial.prompt.setText(prompt)
    page.view.trial.ask.click()


def test_that_without_an_adapter_there_is_nothing_to_export(
    qtbot, desk: TestDesk, example
):
    failed_run(example)
    page = shown(qtbot, desk)
    assert page.view.empty.headline.text() == "Nothing to export yet"
    page.view.to_recipe.click()
    page.view.to_runs.click()
    assert desk.visited == ["recipe", "runs"]


def test_that_the_newest_result_is_shown(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    assert page.view.header.facts_label.full_text() == (
        "cheesemonger-1 · SmolLM2-135M-Instruct · after 25 steps"
    )
    assert page.view.measured.accessibleName() == (
        "Held-out loss 2.500 before, 1.250 after: 50 % lower."
    )
    assert page.view.adapter._size.text() == "3 MiB"
    assert page.view.answers.before.text.toPlainText() == f"Base: {PROMPTS[0]}"
    assert page.view.answers.after.text.toPlainText() == f"Tuned: {PROMPTS[0]}"
    assert not page.view.runs.isVisible()


def test_that_another_result_can_be_chosen(qtbot, desk: TestDesk, example):
    older = finished_run(example, steps=3, began_s_ago=9000.0)
    finished_run(example)
    page = shown(qtbot, desk)
    page.view.runs.set_value(str(older.path))
    page.view.runs.activated.emit(page.view.runs.currentIndex())
    qtbot.waitUntil(
        lambda: page.view.header.facts_label.full_text().startswith("cheesemonger-1")
    )
    assert desk.desk.chosen_run.directory == older.path


def test_that_the_adapter_is_copied_into_a_chosen_folder(
    qtbot, desk: TestDesk, example, tmp_path
):
    finished_run(example)
    page = shown(qtbot, desk)
    page.view.adapter.save_copy.click()
    dialog = page.findChild(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path))
    dialog.reject()
    settled(qtbot, page)
    copy = tmp_path / "cheesemonger-1-adapter"
    assert (copy / "adapter_model.safetensors").stat().st_size == 3 << 20
    assert page.view.adapter.note.toolTip() == str(copy)
    page._on_copy_folder(str(tmp_path))
    settled(qtbot, page)
    assert finding(page) == "There is already a cheesemonger-1-adapter in that folder."


def test_that_the_run_is_merged_into_its_own_folder(qtbot, desk: TestDesk, example):
    run = finished_run(example)
    page = shown(qtbot, desk)
    assert (
        page.view.merged._need.text()
        == "Needs about 0.28 GiB, " + (page.view.merged._need.text().partition(", ")[2])
    )
    page.view.merged.merge.click()
    assert page.view.merged.cancel.isVisible()
    assert not page.view.merged.merge.isVisible()
    settled(qtbot, page)
    assert (run.merged_path / "model.safetensors").is_file()
    qtbot.waitUntil(lambda: page.view.merged._size.text() == "2 MiB")
    assert page.view.merged.open_folder.isVisible()
    assert page.view.merged.merge.isVisible()


def test_that_a_second_merge_asks_before_it_replaces(qtbot, desk: TestDesk, example):
    run = finished_run(example)
    run.merged_path.mkdir()
    (run.merged_path / "config.json").write_text("old", encoding="utf-8")
    page = shown(qtbot, desk)
    page.view.merged.merge.click()
    page.question.back.click()
    assert (run.merged_path / "config.json").read_text(encoding="utf-8") == "old"
    page.view.merged.merge.click()
    page.question.deed.click()
    settled(qtbot, page)
    assert (run.merged_path / "config.json").read_text(encoding="utf-8") == "{}"


def test_that_the_merged_model_can_be_written_elsewhere(
    qtbot, desk: TestDesk, example, tmp_path
):
    run = finished_run(example)
    page = shown(qtbot, desk)
    page._on_merge_folder(str(tmp_path))
    settled(qtbot, page)
    page.view.merged.number_format.set_value("fp32")
    assert page.view.merged._need.text().startswith("Needs about 0.53 GiB")
    page.view.merged.merge.click()
    settled(qtbot, page)
    assert (tmp_path / "cheesemonger-1-merged" / "config.json").is_file()
    assert not run.merged_path.exists()
    assert page.view.merged._result.toolTip() == str(tmp_path / "cheesemonger-1-merged")


def test_that_a_disk_that_is_too_full_refuses_the_merge(
    qtbot, desk: TestDesk, example, monkeypatch
):
    monkeypatch.setattr("studio.ui.pages.export.told.free_bytes_at", lambda _: 1 << 20)
    finished_run(example)
    page = shown(qtbot, desk)
    assert not page.view.merged.merge.isEnabled()
    assert page.view.merged._refused.text().startswith("Short of ")


def test_that_both_models_are_asked_in_turn(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    ask(page, "-- Brie?")
    trial = page.view.trial
    assert trial.tuned.note.text() == "Waits for the other"
    assert trial.cancel.isVisible()
    assert not page.view.merged.merge.isEnabled()
    settled(qtbot, page)
    assert trial.base.text.toPlainText() == "Base says -- Brie?"
    assert trial.tuned.text.toPlainText() == "Tuned says -- Brie?"
    assert trial.tuned.note.text() == "4 words"
    assert page.view.merged.merge.isEnabled()


def test_that_ctrl_enter_asks_and_an_empty_prompt_is_waited_for(
    qtbot, desk: TestDesk, example
):
    finished_run(example)
    page = shown(qtbot, desk)
    page.view.trial.ask.click()
    assert not page.asking.job.is_running
    page.view.trial.prompt.setText("Feta?")
    QTest.keySequence(page.view.trial.prompt, "Ctrl+Return")
    assert page.asking.job.is_running
    settled(qtbot, page)
    assert page.view.trial.tuned.text.toPlainText() == "Tuned says Feta?"


def test_that_a_failure_keeps_the_answer_that_was_given(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    ask(page, "fail")
    settled(qtbot, page)
    assert finding(page) == "The model is gone."
    assert page.view.trial.base.text.toPlainText() == "Base says fail"
    assert page.view.trial.tuned.note.text() == "Not answered"
    assert page.view.trial.ask.isVisible()


def test_that_asking_can_be_cancelled(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    ask(page, "wait")
    qtbot.waitUntil(
        lambda: page.view.trial.base.note.text() == "Loading the weights",
        timeout=PATIENCE_MS,
    )
    page.view.trial.cancel.click()
    settled(qtbot, page)
    assert finding(page) == "Stopped; nothing half-made was kept."
    assert page.view.trial.ask.isEnabled()


def test_that_nothing_is_asked_while_a_run_trains(qtbot, desk: TestDesk, example):
    finished_run(example)
    desk.scene = "steps"
    controller = desk.desk.controller
    controller.start(example, example.recipe)
    page = shown(qtbot, desk)
    assert not page.view.trial.ask.isEnabled()
    assert page.view.trial.refused.text() == (
        "Training is running; one model is in memory at a time."
    )
    controller.stop()
    qtbot.waitUntil(lambda: not controller.is_running, timeout=PATIENCE_MS)
    settled(qtbot, page)
    assert page.view.trial.ask.isEnabled()


def test_that_a_closing_window_ends_the_engine(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    ask(page, "wait")
    page.asking.job.close()
    assert not page.asking.job.is_running


def test_that_another_project_has_its_own_results(qtbot, desk: TestDesk, example):
    finished_run(example)
    page = shown(qtbot, desk)
    desk.desk.projects.create("Another")
    qtbot.waitUntil(page.view.empty.isVisible)


def test_that_every_control_of_the_export_page_has_a_name(
    qtbot, desk: TestDesk, example
):
    finished_run(example)
    assert_reachable(shown(qtbot, desk))
