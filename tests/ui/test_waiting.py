"""The runs that wait, on the Runs page: order, times, removal, and their start."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.domain.finding import error
from studio.domain.run_queue import Queue
from studio.services.library import all_runs
from studio.services.run_queue import RunQueue
from studio.storage.tables.opening import missing
from studio.ui.pages.runs.page import RunsPage
from studio.ui.pages.runs.waiting_model import (
    IN_TURN,
    NEXT,
    STARTING,
    TROUBLED,
    TRY_AGAIN,
    Course,
    WaitingFacts,
    course_words,
    remove_question,
    start_words,
    waiting_rows,
)
from tests.ui.desks import TestDesk, desk, reading_without_card
from tests.ui.helpers import assert_reachable
from tests.ui.run_stories import finished_run

__all__ = ["desk"]

NOW = datetime(2026, 11, 26, 20, 0, tzinfo=UTC)
PATIENCE_MS = 20_000


@pytest.fixture
def example(desk: TestDesk):
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    return desk.desk.projects.current


@pytest.fixture
def queue(desk: TestDesk) -> RunQueue:
    return desk.desk.queue.queue


@pytest.fixture
def three(queue: RunQueue, example):
    queue.add(example.slug, [(title, example.recipe) for title in "abc"])


@pytest.fixture
def shown(qtbot, desk: TestDesk, example):
    pages = []

    def show() -> RunsPage:
        page = RunsPage(desk.desk)
        pages.append(page)
        qtbot.addWidget(page)
        page.resize(1072, 768)
        page.show()
        qtbot.waitUntil(lambda: not reads(page))
        # Last, for a window that goes meanwhile may take the activation along; without
        # it keys are deaf.
        page.activateWindow()
        qtbot.waitUntil(page.isActiveWindow)
        return page

    return show


def reads(page: RunsPage) -> bool:
    return page._read.is_running or page.waiting._read.is_running


def titles(page: RunsPage) -> list[str]:
    rows = page.waiting.card.rows
    return [rows.index(row, 0).data() for row in range(rows.rowCount())]


def order(queue: RunQueue) -> str:
    return "".join(run.title for run in queue.read().runs)


def test_that_an_empty_queue_says_how_to_fill_it(desk: TestDesk, example, shown):
    finished_run(example)
    card = shown().waiting.card
    assert card.empty.isVisible()
    assert not card.filled.isVisible()
    assert not card.drive.isVisible()
    card.to_recipe.click()
    assert desk.visited == ["recipe"]


def test_that_the_runs_that_wait_are_listed_with_project_and_model(three, shown):
    page = shown()
    assert titles(page) == ["a", "b", "c"]
    rows = page.waiting.card.rows
    cells = [rows.index(0, column).data() for column in range(4)]
    assert cells == ["a", "Cheesemonger", "SmolLM2-135M", "Next"]
    assert page.waiting.card.note_label.text() == "3 runs; none starts by itself."


@pytest.mark.parametrize(
    ("row", "key", "expected"),
    [
        (0, Qt.Key.Key_Down, "bac"),
        (2, Qt.Key.Key_Up, "acb"),
        (0, Qt.Key.Key_Up, "abc"),
        (2, Qt.Key.Key_Down, "abc"),
    ],
)
def test_that_keys_move_a_run(three, shown, queue, row, key, expected):
    page = shown()
    table = page.waiting.card.table
    table.setFocus()
    table.selectRow(row)
    moved = titles(page)[row]
    QTest.keyClick(table, key, Qt.KeyboardModifier.AltModifier)
    assert order(queue) == "".join(titles(page)) == expected
    assert [run.title for run in page.waiting.chosen()] == [moved]


def test_that_a_run_is_moved_by_its_buttons_as_far_as_there_is_room(
    three, shown, queue
):
    card = shown().waiting.card
    assert not card.earlier.isEnabled()
    card.later.click()
    card.later.click()
    assert order(queue) == "bca"
    assert not card.later.isEnabled()
    card.earlier.click()
    assert order(queue) == "bac"


def test_that_several_runs_are_taken_off_after_a_question(three, shown, queue):
    page = shown()
    page.waiting.card.table.selectAll()
    assert not page.waiting.card.earlier.isEnabled()
    page.waiting.card.remove.click()
    assert page.waiting.question.windowTitle() == "Take 3 runs off the queue?"
    page.waiting.question.deed.click()
    assert order(queue) == ""
    assert page.waiting.card.empty.isVisible()


def test_that_the_delete_key_belongs_to_the_list_with_the_focus(
    three, shown, queue, example
):
    run = finished_run(example)
    page = shown()
    page.waiting.card.table.setFocus()
    QTest.keyClick(page.waiting.card.table, Qt.Key.Key_Delete)
    assert page.question is None
    page.waiting.question.back.click()
    assert order(queue) == "abc"
    page.view.table.setFocus()
    QTest.keyClick(page.view.table, Qt.Key.Key_Delete)
    assert page.waiting.question is None
    page.question.back.click()
    assert run.path.is_dir()


def test_that_a_run_gets_a_time_and_loses_it_again(three, shown, queue):
    page = shown()
    QTest.keyClick(page.waiting.card.table, Qt.Key.Key_F2)
    dialog = page.waiting.times
    QTest.keyClicks(dialog.time.field, "2099-01-01 06:00")
    assert dialog.time.note.text() == "1 Jan 2099 06:00, or later."
    QTest.keyClick(dialog.time.field, Qt.Key.Key_Return)
    assert queue.read().runs[0].start_at.year == 2099
    rows = page.waiting.card.rows
    assert [rows.index(row, 3).data() for row in (0, 1)] == ["1 Jan 2099 06:00", "Next"]
    page.waiting.card.start_at.click()
    page.waiting.times.time.field.clear()
    page.waiting.times.choose.click()
    assert queue.read().runs[0].start_at is None


def test_that_what_is_no_time_is_said_and_not_taken(three, shown, queue):
    page = shown()
    page.waiting.card.start_at.click()
    dialog = page.waiting.times
    assert_reachable(dialog)
    dialog.time.field.setText("soon")
    assert "“soon” is no time." in dialog.time.error.text()
    assert not dialog.choose.isEnabled()
    dialog.back.click()
    assert page.waiting.times is None
    assert queue.read().runs[0].start_at is None


def test_that_what_a_terminal_changes_is_seen(qtbot, desk: TestDesk, three, shown):
    page = shown()
    page.waiting._clock.setInterval(10)
    with qtbot.waitSignal(desk.desk.queue.course_changed):
        RunQueue().change(lambda found: found.removed(2))
    assert titles(page) == ["a", "c"]


def test_that_the_queue_starts_when_asked_and_is_held_again(
    qtbot, desk: TestDesk, three, shown, queue
):
    desk.scene = "steps"
    page = shown()
    card = page.waiting.card
    assert all_runs() == []
    card.drive.click()
    controller = desk.desk.controller
    qtbot.waitUntil(lambda: controller.is_running, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: titles(page) == ["b", "c"], timeout=PATIENCE_MS)
    assert card.note_label.text() == "The next starts when cheesemonger-1 has ended."
    assert card.drive.accessibleName() == "Hold the queue"
    card.drive.click()
    assert card.drive.accessibleName() == "Start the queue"
    controller.stop()
    qtbot.waitUntil(lambda: not controller.is_running, timeout=PATIENCE_MS)
    assert order(queue) == "bc"
    qtbot.waitUntil(lambda: not reads(page))


def test_that_a_queue_that_a_terminal_drives_can_not_be_started(three, shown):
    with RunQueue().driven():
        card = shown().waiting.card
        assert not card.drive.isEnabled()
        assert "Another window or terminal" in card.note_label.text()


def test_that_a_refusal_to_start_is_shown_in_the_card(three, shown):
    card = shown().waiting.card
    with RunQueue().driven():
        card.drive.click()
    assert (
        "starts the queue’s runs already" in card.findings.itemAt(0).widget().text.what
    )


def test_that_a_queue_that_can_not_be_read_is_told(desk: TestDesk, shown, three, queue):
    queue._folder._document_path.write_text("version = 99\n")
    card = shown().waiting.card
    assert "newer" in card.findings.itemAt(0).widget().text.what


def test_that_the_trouble_of_the_chosen_run_is_told(three, shown, queue):
    queue.mark(2, error("disk.full", "The disk is full."))
    page = shown()
    assert not page.waiting.card.trouble.isVisible()
    page.waiting.card.table.selectRow(1)
    assert page.waiting.card.trouble.text() == f"The disk is full. {TRY_AGAIN}"
    page.waiting.card.earlier.click()
    assert not page.waiting.card.trouble.isVisible()


def test_that_what_keeps_a_run_from_starting_is_told_in_the_windows_words():
    queue = Queue().added("p", "a").troubled(1, missing(Path("hub:me/cheese")).finding)
    (row,) = waiting_rows(WaitingFacts(queue.runs), NOW)
    assert "is not on this machine yet. Fetch it on the Data page" in row.trouble
    assert "snugtune" not in row.trouble


def test_that_every_control_of_the_waiting_runs_has_a_name(three, shown):
    assert_reachable(shown())


def test_that_the_recipe_of_a_run_can_wait_again(qtbot, shown, example, queue):
    finished_run(example)
    page = shown()
    page.view.queue.click()
    dialog = page.offer.dialog
    dialog.rows[0].option.set_value("lora.rank")
    dialog.rows[0].values.setText("8, 32")
    dialog.add.click()
    both = ["Cheesemonger lora.rank=8", "Cheesemonger lora.rank=32"]
    qtbot.waitUntil(lambda: titles(page) == both)
    assert queue.recipe(2) == example.recipe.with_value("lora.rank", 32)


def test_that_tab_goes_down_the_page(three, shown, example):
    finished_run(example)
    page = shown()
    card, view = page.waiting.card, page.view
    wanted = [
        view.export,
        card.drive,
        card.table,
        card.later,
        card.start_at,
        card.remove,
        view.table,
        view.open_run,
    ]
    view.export.setFocus()
    met = [QApplication.focusWidget()]
    for _ in wanted[1:]:
        QTest.keyClick(met[-1], Qt.Key.Key_Tab)
        met.append(QApplication.focusWidget())
    assert met == wanted


def test_that_rows_say_when_they_start():
    queue = Queue().added("p", "a").added("p", "b").added("p", "c").added("p", "d")
    queue = queue.troubled(1, error("of.another", "No.")).timed(
        2, NOW + timedelta(hours=12)
    )
    rows = waiting_rows(WaitingFacts(queue.runs), NOW)
    marks = [row.starts for row in rows]
    assert marks == [TROUBLED, marks[1], NEXT, IN_TURN]
    assert marks[1].words == "Tomorrow 08:00"


def test_that_a_run_that_is_being_started_is_told_so():
    queue = Queue().added("p", "a").added("p", "b")
    marks = [row.starts for row in waiting_rows(WaitingFacts(queue.runs), NOW, 1)]
    assert marks == [STARTING, NEXT]


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (NOW + timedelta(hours=1), "Today 21:00"),
        (NOW + timedelta(days=1), "Tomorrow 20:00"),
        (NOW + timedelta(days=30), "26 Dec 20:00"),
        (NOW + timedelta(days=40), "5 Jan 2027 20:00"),
    ],
)
def test_that_a_time_to_come_is_said_as_people_do(moment, words):
    assert start_words(moment, NOW) == words


@pytest.mark.parametrize(
    ("course", "words"),
    [
        (Course(), "1 run; none starts by itself."),
        (Course(is_driving=True), "Looks whether the next can start."),
        (
            Course(is_driving=True, waits_for="x-1"),
            "The next starts when x-1 has ended.",
        ),
        (
            Course(is_driving=True, waits_for=NOW + timedelta(hours=1)),
            "Waits until today 21:00.",
        ),
    ],
)
def test_that_the_card_says_what_becomes_of_the_queue(course, words):
    assert (
        course_words(WaitingFacts(Queue().added("p", "a").runs), course, NOW) == words
    )
    assert course_words(WaitingFacts(), course, NOW) == ""


def test_that_the_question_names_one_run_and_counts_several():
    assert remove_question(["a"]) == (
        "Take a off the queue?",
        "Its recipe goes with it.",
    )
    assert remove_question(["a", "b"])[0] == "Take 2 runs off the queue?"
