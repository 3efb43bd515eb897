"""The Help page: shortcuts, versions, and a diagnosis by the engine."""

import sys

import pytest
from PySide6.QtGui import QGuiApplication

from studio.ui.keys import PAGE_KEYS
from studio.ui.pages.help.page import HelpPage
from tests.ui.desks import TestDesk, desk
from tests.ui.helpers import assert_reachable

__all__ = ["desk"]

DOCTOR = """
import json, sys
def say(**event):
    print(json.dumps({"at": "2026-01-01T00:00:00Z", **event}), flush=True)
say(event="hello", protocol=1, verb="doctor", pid=1, started_at=1.0)
say(event="diagnosed", check="torch imports", passed=True, detail="2.13.0")
say(event="diagnosed", check="4-bit round trip", passed=%s, detail="NF4")
"""


def doctor(*, passes: bool) -> list[str]:
    return [sys.executable, "-c", DOCTOR % passes]


@pytest.fixture
def make(qtbot, desk: TestDesk):
    def made(command: list[str]) -> HelpPage:
        page = HelpPage(desk.desk, doctor=command)
        qtbot.addWidget(page)
        page.resize(1072, 768)
        page.show()
        return page

    return made


def test_that_the_window_s_shortcuts_are_listed(make, desk: TestDesk):
    desk.desk.actions.add("project.new", "New project", desk.open_example, ["Ctrl+N"])
    page = make(doctor(passes=True))
    cells = [page.view.keys.index(0, column).data() for column in range(3)]
    assert cells == ["New project", "Everywhere", "Ctrl+N"]


def test_that_the_keys_of_each_page_are_listed_with_the_page(make):
    page = make(doctor(passes=True))
    keys = page.view.keys
    listed = [
        tuple(keys.index(row, column).data() for column in range(3))
        for row in range(keys.rowCount())
    ]
    assert len(listed) == len(PAGE_KEYS)
    assert ("Measure again", "Start, Hardware", "F5") in listed
    assert ("Start training", "Recipe", "Ctrl+Enter") in listed
    assert ("Open the run", "Runs, in the table", "Enter") in listed


def test_that_each_check_of_the_diagnosis_is_listed(make, qtbot):
    page = make(doctor(passes=True))
    page.view.diagnose.click()
    assert not page.view.diagnose.isEnabled()
    qtbot.waitUntil(page.view.diagnose.isEnabled, timeout=20_000)
    assert page.view.diagnosis_words.text() == "All 2 checks passed."
    assert page.view.checks.index(1, 0).data() == "4-bit round trip"
    assert page.view.checks.index(1, 1).data() == "Passed"


def test_that_a_failed_check_is_counted(make, qtbot):
    page = make(doctor(passes=False))
    page.view.diagnose.click()
    qtbot.waitUntil(page.view.diagnose.isEnabled, timeout=20_000)
    assert page.view.diagnosis_words.text() == "1 of 2 checks failed."


def test_that_an_engine_that_can_t_answer_is_told(make, qtbot):
    page = make([sys.executable, "-c", "raise SystemExit(3)"])
    page.view.diagnose.click()
    qtbot.waitUntil(page.view.diagnose.isEnabled, timeout=20_000)
    text = page.view.findings.itemAt(0).widget().text
    assert "exit code 3" in text.what


def test_that_the_report_lands_on_the_clipboard(make):
    page = make(doctor(passes=True))
    page.view.copy_report.click()
    assert QGuiApplication.clipboard().text().startswith("Snugtune ")


def test_that_every_control_has_a_name(make):
    assert_reachable(make(doctor(passes=True)))
