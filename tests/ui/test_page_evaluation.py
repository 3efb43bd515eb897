"""A run beside its base, on the Runs page: asked for, told, kept, read again."""

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from studio.services.engine_task import EngineTask
from studio.ui.pages.evaluation import entry
from studio.ui.pages.evaluation.panel import EvaluationPanel
from studio.ui.pages.evaluation.view_model import OWN_ROWS, Sorting
from studio.ui.pages.runs.page import RunsPage
from tests.ui.desks import TestDesk, desk, reading_without_card
from tests.ui.helpers import assert_reachable
from tests.ui.run_stories import finished_run, lost_run

__all__ = ["desk"]
PATIENCE_MS = 20_000
PLAYED = Path(__file__).with_name("played_verbs.py")
ORDERS: list[list[str]] = []


def played_task(verb: str, *arguments: str, log_path: Path) -> EngineTask:
    ORDERS.append([verb, *arguments])
    command = [sys.executable, str(PLAYED), verb, *arguments]
    return EngineTask(verb, command=command, log_path=log_path)


@pytest.fixture
def run(desk: TestDesk):
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    return finished_run(desk.desk.projects.current)


@pytest.fixture
def page(qtbot, desk: TestDesk, run, monkeypatch):
    """The Runs page with the run's evaluations open; none are kept yet."""
    monkeypatch.setattr(
        entry, "EvaluationPanel", lambda desk: EvaluationPanel(desk, played_task)
    )
    ORDERS.clear()
    page = RunsPage(desk.desk)
    qtbot.addWidget(page)
    page.resize(1072, 768)
    page.show()
    qtbot.waitUntil(lambda: not page._read.is_running)
    page.view.evaluate.click()
    settled(qtbot, page.evaluation.panel)
    return page


def settled(qtbot, panel: EvaluationPanel) -> None:
    qtbot.waitUntil(
        lambda: not panel.measuring.job.is_running and not panel._read.is_running,
        timeout=PATIENCE_MS,
    )


def measured(qtbot, page: RunsPage, data: str = "") -> EvaluationPanel:
    panel = page.evaluation.panel
    panel.form.data.setText(data)
    panel.form.evaluate.click()
    settled(qtbot, panel)
    return panel


def column(model, at: int) -> list[str]:
    return [model.index(row, at).data() for row in range(model.rowCount())]


def test_that_a_run_without_a_result_can_not_be_evaluated(qtbot, desk: TestDesk):
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    lost_run(desk.desk.projects.current)
    page = RunsPage(desk.desk)
    qtbot.addWidget(page)
    page.show()
    qtbot.waitUntil(lambda: not page._read.is_running)
    assert not page.view.evaluate.isEnabled()


def test_that_the_page_turns_to_the_run_and_back_to_the_list(page):
    view = page.view
    assert view.evaluation.isVisible()
    assert not view.filled.isVisible()
    assert not page.waiting.isVisible()
    assert not view.export.isVisible()
    assert view.header.title_label.text() == "Evaluation"
    assert view.header.facts_label.full_text() == "cheesemonger-1 beside its base"
    panel = page.evaluation.panel
    assert panel.form.data.placeholderText() == OWN_ROWS
    assert panel.empty.headline.text() == "Not evaluated yet"
    assert panel.empty.isVisible()
    assert not panel.figures.isVisible()
    view.back.click()
    assert view.filled.isVisible()
    assert page.waiting.isVisible()
    assert view.header.title_label.text() == "Runs"
    assert view.export.isVisible()


def test_that_the_figures_stand_beside_the_bases_with_a_verdict(qtbot, page, run):
    panel = measured(qtbot, page)
    assert len(ORDERS) == 1
    asked = ["evaluate", str(run.path), "--rows", "0", "--max-new-tokens", "128"]
    assert ORDERS[0] == asked
    figures = panel.figures
    assert figures.isVisible()
    assert not panel.empty.isVisible()
    assert column(figures.rows, 0) == ["Loss", "BLEU"]
    assert column(figures.rows, 1) == ["3.000", "10.0"]
    assert column(figures.rows, 2) == ["2.000", "30.0"]
    assert column(figures.rows, 3)[1] == "+20.0 (+10.0 to +30.0)"
    assert column(figures.rows, 4) == ["No difference shown", "Better"]
    assert "On its own held-out rows: 3 of 9 inputs." in figures._notes.text()
    assert "Below 20 inputs no difference is judged." in figures._notes.text()
    assert "1 of 3 inputs were trained on." in figures._notes.text()
    assert panel.form._result.text() == "BLEU 10.0 → 30.0, better."


def test_that_every_field_reaches_the_engine(qtbot, page, run, tmp_path):
    form = page.evaluation.panel.form
    form.choose.click()
    dialog = page.evaluation.panel.findChild(QFileDialog)
    chosen = str(tmp_path / "rows.jsonl")
    dialog.fileSelected.emit(chosen)
    dialog.reject()
    form.rows.setValue(9)
    form.most_tokens.setValue(64)
    form.lowercase.setChecked(True)
    form.evaluate.click()
    settled(qtbot, page.evaluation.panel)
    more = ["--rows", "9", "--max-new-tokens", "64", "--lowercase"]
    assert ORDERS[0] == ["evaluate", str(run.path), "--data", chosen, *more]


@pytest.mark.parametrize(
    ("sorting", "asked"),
    [
        (Sorting.DIFFERENT, ["Question 2?", "Question 1?", "Question 0?"]),
        (Sorting.GAINED, ["Question 2?", "Question 0?", "Question 1?"]),
        (Sorting.LOST, ["Question 1?", "Question 0?", "Question 2?"]),
        (Sorting.FILE, ["Question 0?", "Question 1?", "Question 2?"]),
    ],
)
def test_that_inputs_are_listed_in_the_order_chosen(qtbot, page, sorting, asked):
    answers = measured(qtbot, page).answers
    answers.sorting.set_value(sorting.value)
    assert column(answers.rows, 0) == asked
    assert answers.table.current_row() == 0
    assert answers._asked.full_text() == asked[0]


def test_that_answers_stand_side_by_side_with_the_reference(qtbot, page):
    answers = measured(qtbot, page).answers
    assert answers.reference.text.toPlainText() == "Answer 2."
    assert answers.base.text.toPlainText() == "Base 2"
    assert answers.tuned.text.toPlainText() == "Tuned 2"
    assert answers.base.note.text() == "ROUGE-L 0.00"
    assert answers.tuned.note.text() == "exact"
    assert column(answers.rows, 3) == ["+1.00", "−0.50", "+0.25"]
    answers.table.setFocus()
    QTest.keyClick(answers.table, Qt.Key.Key_Down)
    assert answers.tuned.text.toPlainText() == "Tuned 1"
    assert answers.reference.note.text() == "trained on"


def test_that_delete_on_an_input_asks_for_no_runs_deletion(qtbot, page):
    panel = measured(qtbot, page)
    panel.answers.table.setFocus()
    QTest.keyClick(panel.answers.table, Qt.Key.Key_Delete)
    assert page.question is None


def test_that_earlier_evaluations_are_kept_and_can_be_shown_again(
    qtbot, page, monkeypatch
):
    measured(qtbot, page)
    panel = measured(qtbot, page, "/data/test set.jsonl")
    kept = panel.figures.kept
    names = [kept.itemText(at).split(" · ")[0] for at in range(kept.count())]
    assert names == ["test-set", "held-out"]
    assert panel.figures._notes.text().startswith("On test set.jsonl: 3 of 9 inputs.")
    kept.setCurrentIndex(1)
    kept.activated.emit(1)
    assert panel.figures._notes.text().startswith("On its own held-out rows")
    opened = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile())
    )
    panel.figures.open_page.click()
    assert Path(opened[0]).name == "held-out.html"


def test_that_it_can_be_stopped(qtbot, page, run):
    panel = page.evaluation.panel
    panel.form.data.setText("/data/wait.jsonl")
    panel.form.evaluate.click()
    qtbot.waitUntil(lambda: "1 of 3 answers" in panel.form._way.text())
    assert panel.form._bar.value() == 333
    assert not panel.form.evaluate.isEnabled()
    panel.form.stop.click()
    settled(qtbot, panel)
    assert panel.form._result.text() == "Stopped; nothing was kept."
    assert panel.form.evaluate.isEnabled()
    assert not (run.path / "evaluations").exists()


def test_that_a_failure_is_told_where_it_was_asked_for(qtbot, page):
    panel = measured(qtbot, page, "/data/fail.jsonl")
    card = panel.form._findings.itemAt(0).widget()
    assert "Nothing to measure with." in card.text.what
    assert panel.form.evaluate.isEnabled()


def test_that_every_widget_can_be_named_and_no_field_changes_in_passing(qtbot, page):
    measured(qtbot, page)
    assert_reachable(page)
