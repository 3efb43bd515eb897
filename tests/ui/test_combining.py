"""Adapters combined from the Runs page: which runs, by which weights, and what came."""

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from studio.domain.combining import Way
from studio.services.engine_task import EngineTask
from studio.ui.pages.runs.combine_dialog import CombineDialog
from studio.ui.pages.runs.page import RunsPage
from tests.ui.desks import TestDesk, desk, reading_without_card
from tests.ui.helpers import assert_reachable
from tests.ui.run_stories import failed_run, finished_run, whole_run

__all__ = ["desk"]
PATIENCE_MS = 20_000
PLAYED = Path(__file__).with_name("played_verbs.py")
ORDERS: list[list[str]] = []


def played_task(verb: str, *arguments: str, log_path: Path) -> EngineTask:
    ORDERS.append([verb, *arguments])
    command = [sys.executable, str(PLAYED), verb, *arguments]
    return EngineTask(verb, command=command, log_path=log_path)


@pytest.fixture
def example(desk: TestDesk):
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    return desk.desk.projects.current


@pytest.fixture
def opened() -> list[Path]:
    return []


@pytest.fixture
def page(qtbot, desk: TestDesk, example, opened) -> RunsPage:
    """The page with three finished runs, the newest chosen."""
    ORDERS.clear()
    for ago in (9000.0, 6000.0, 3000.0):
        finished_run(example, began_s_ago=ago)
    return shown(qtbot, desk, opened)


def shown(qtbot, desk: TestDesk, opened: list[Path]) -> RunsPage:
    page = RunsPage(desk.desk)
    page.combining.task_for = played_task
    page.combining.open_folder = opened.append
    qtbot.addWidget(page)
    page.resize(1072, 768)
    page.show()
    qtbot.waitUntil(lambda: not page._read.is_running)
    return page


def asked(page: RunsPage) -> CombineDialog:
    page.view.combine.click()
    assert page.combining.dialog is not None
    return page.combining.dialog


def fields_shown(dialog: CombineDialog) -> set[str]:
    fields = (dialog.density, dialog.seed, dialog.rank)
    return {field.accessibleName() for field in fields if field.isVisible()}


def test_that_runs_of_one_base_become_one_adapter(qtbot, page, opened, example):
    dialog = asked(page)
    rows = dialog.rows.all
    names = [row.tick.text() for row in rows]
    assert names == ["cheesemonger-3", "cheesemonger-2", "cheesemonger-1"]
    assert [row.tick.isChecked() for row in rows] == [True, True, False]
    rows[0].weight.setValue(0.7)
    rows[1].weight.setValue(0.3)
    dialog.name.setText("Both")
    dialog.combine.click()
    qtbot.waitUntil(lambda: bool(opened), timeout=PATIENCE_MS)
    out = example.directory / "exports" / "both"
    runs = [str(example.directory / "runs" / name) for name in names[:2]]
    assert ORDERS[0][:5] == ["combine", *runs, "--out", str(out)]
    assert {"--weights=0.7,0.3", "cat"} <= set(ORDERS[0])
    assert opened == [out]
    cards = [page.view.findings.itemAt(place).widget() for place in range(2)]
    told, doubt = (card.text for card in cards)
    assert told.what == "The adapters are one of rank 32."
    assert doubt.what == "NF4, BF16."
    assert page.combining.dialog is None


def test_that_weights_are_even_shares_until_they_are_the_users(page):
    dialog = asked(page)
    first, second, third = dialog.rows.all
    assert (first.weight.value(), second.weight.value()) == (0.5, 0.5)
    assert not third.weight.isEnabled()
    third.tick.setChecked(True)
    assert [row.weight.value() for row in dialog.rows.all] == [0.33, 0.33, 0.33]
    assert dialog.name.text() == "3 adapters"
    first.weight.setValue(-1.0)
    third.tick.setChecked(False)
    assert (first.weight.value(), second.weight.value()) == (-1.0, 0.5)
    assert dialog.name.text() == "cheesemonger-3 and cheesemonger-2"
    dialog.reject()


@pytest.mark.parametrize(
    ("way", "fields"),
    [
        (Way.CAT, set()),
        (Way.SVD, {"Rank"}),
        (Way.TIES, {"Density"}),
        (Way.DARE_TIES, {"Density", "Seed"}),
        (Way.DARE_LINEAR_SVD, {"Density", "Seed", "Rank"}),
    ],
)
def test_that_each_way_asks_for_what_it_needs_and_says_what_it_means(way, fields, page):
    dialog = asked(page)
    dialog.way.set_value(way.value)
    assert fields_shown(dialog) == fields
    assert dialog.meaning.text() == way.meaning
    assert dialog.asked().combination().way is way
    dialog.reject()


def test_that_what_is_missing_is_said(page):
    dialog = asked(page)
    dialog.rows.all[1].tick.setChecked(False)
    assert not dialog.combine.isEnabled()
    assert dialog.meaning.text() == (
        "One adapter alone can’t be combined. Take two or more."
    )
    dialog.rows.all[1].tick.setChecked(True)
    dialog.rows.all[1].weight.setValue(0.0)
    assert dialog.meaning.text() == (
        "A weight is 0 or no number. "
        "Give each run that is ticked a number other than 0."
    )
    dialog.combine.click()
    assert dialog.findings.count() == 1
    assert not ORDERS
    dialog.reject()


def test_that_a_refusal_stays_in_the_dialog(qtbot, page, example, opened):
    (example.directory / "exports" / "both").mkdir(parents=True)
    dialog = asked(page)
    dialog.name.setText("both")
    dialog.combine.click()
    assert not dialog.combine.isEnabled()
    qtbot.waitUntil(dialog.combine.isEnabled, timeout=PATIENCE_MS)
    assert dialog.findings.count() == 1
    text = dialog.findings.itemAt(0).widget().text
    assert text.consequence == f"Give it another “{dialog.name.accessibleName()}”."
    assert opened == []
    dialog.reject()


def test_that_leaving_ends_what_is_under_way(qtbot, page, opened):
    dialog = asked(page)
    dialog.name.setText("wait")
    dialog.combine.click()
    qtbot.waitUntil(lambda: dialog.course.bar.value() > 0, timeout=PATIENCE_MS)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.back.isEnabled()
    qtbot.waitUntil(lambda: page.combining.dialog is None, timeout=PATIENCE_MS)
    assert opened == []


def test_that_a_run_without_others_says_why_not(qtbot, desk, example, opened):
    failed_run(example, began_s_ago=9000.0)
    finished_run(example)
    page = shown(qtbot, desk, opened)
    assert not page.view.combine.isEnabled()
    assert page.view.combine.toolTip() == (
        "No other run of its base left an adapter that can be added to it."
    )
    page.view.table.selectRow(1)
    assert not page.view.combine.isVisible()


def test_that_a_whole_model_says_that_it_can_not(qtbot, desk, example, opened):
    finished_run(example, began_s_ago=9000.0)
    example.set_recipe(example.recipe.with_value("train.weights", "all"))
    whole_run(example)
    page = shown(qtbot, desk, opened)
    assert not page.view.combine.isEnabled()
    assert page.view.combine.toolTip() == (
        "It left no adapter that can be added to others."
    )


def test_that_runs_of_another_base_or_kind_are_not_offered(
    qtbot, desk, example, opened
):
    finished_run(example, began_s_ago=9000.0)
    finished_run(example, began_s_ago=8000.0)
    own = example.recipe
    other = {"model.name": "qwen2.5-0.5b-instruct", "lora.variant": "dora"}
    for key, value in other.items():
        example.set_recipe(own.with_value(key, value))
        finished_run(example, began_s_ago=7000.0)
        example.set_recipe(own)
    page = shown(qtbot, desk, opened)
    page.view.table.selectRow(3)
    dialog = asked(page)
    names = [row.tick.text() for row in dialog.rows.all]
    assert names == ["cheesemonger-1", "cheesemonger-2"]
    dialog.reject()


def test_that_the_dialog_is_for_the_keyboard(page):
    dialog = asked(page)
    assert_reachable(dialog)
    dialog.reject()
