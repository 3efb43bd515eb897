"""A data set of the hub in the window: asked for, fetched, refused, ended."""

import sys
from functools import partial
from pathlib import Path

import pytest

from studio.services.engine_task import EngineTask
from studio.ui.pages.data import hub_dialog
from studio.ui.pages.data.hub_dialog import HubDialog
from studio.ui.pages.data.page import DataPage
from tests.ui.desks import TestDesk, desk
from tests.ui.helpers import assert_reachable

__all__ = ["desk"]
PATIENCE_MS = 20_000
PLAYED = Path(__file__).with_name("played_verbs.py")
ORDERS: list[list[str]] = []


def played_task(verb: str, *arguments: str, log_path: Path) -> EngineTask:
    ORDERS.append([verb, *arguments])
    command = [sys.executable, str(PLAYED), verb, *arguments]
    return EngineTask(verb, command=command, log_path=log_path)


@pytest.fixture
def page(qtbot, desk: TestDesk, tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYED_FETCH", str(tmp_path / "set-train.jsonl"))
    monkeypatch.setattr(
        hub_dialog, "HubDialog", partial(HubDialog, task_for=played_task)
    )
    ORDERS.clear()
    desk.desk.projects.create("Support replies")
    page = DataPage(desk.desk)
    qtbot.addWidget(page)
    page.resize(1072, 768)
    page.show()
    qtbot.waitExposed(page)
    return page


def asked(page: DataPage) -> HubDialog:
    page.view.empty.from_hub.click()
    return page.findChildren(HubDialog)[-1]


def test_that_a_fetched_set_becomes_the_projects_data(qtbot, page, desk, tmp_path):
    dialog = asked(page)
    assert not dialog.fetch.isEnabled()
    dialog.name.setText("me/set")
    dialog.config.setText("small")
    dialog.split.setText("train")
    dialog.fetch.click()
    qtbot.waitUntil(lambda: bool(desk.desk.data.path), timeout=PATIENCE_MS)
    assert ORDERS == [["fetch-data", "hub:me/set:small#train"]]
    assert desk.desk.data.path == str(tmp_path / "set-train.jsonl")
    qtbot.waitUntil(page.view.filled.isVisible, timeout=PATIENCE_MS)
    page.edits.stack.undo()
    assert not desk.desk.data.path


def test_that_a_refusal_is_told_in_the_dialog(qtbot, page, desk):
    dialog = asked(page)
    dialog.name.setText("nothing")
    dialog.fetch.click()
    assert dialog.findings.count() == 1
    assert not ORDERS
    dialog.name.setText("me/gone")
    dialog.fetch.click()
    assert not dialog.fetch.isEnabled()
    qtbot.waitUntil(dialog.fetch.isEnabled, timeout=PATIENCE_MS)
    assert dialog.findings.count() == 1
    assert not desk.desk.data.path
    dialog.reject()


def test_that_leaving_ends_a_fetching(qtbot, page, desk):
    dialog = asked(page)
    dialog.name.setText("me/wait")
    dialog.fetch.click()
    with qtbot.waitSignal(dialog.rejected, timeout=PATIENCE_MS):
        dialog.back.click()
    assert not desk.desk.data.path


def test_that_the_dialog_is_reached_by_keys(page):
    dialog = asked(page)
    dialog.name.setText("me/set")
    assert_reachable(dialog)
    dialog.reject()
