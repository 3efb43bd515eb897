"""From the Recipe page into the queue: one run or a sweep, now, later, or in turn."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from studio.domain.recipe import Recipe
from studio.services.run_queue import RunQueue
from studio.ui.pages.recipe.page import RecipePage
from studio.ui.pages.recipe.queue_dialog import QueueDialog
from studio.ui.pages.recipe.sweeping import SweptOption, sweepable, swept
from tests.ui.desks import TestDesk, desk, reading_without_card
from tests.ui.helpers import assert_reachable

__all__ = ["desk"]

PATIENCE_MS = 20_000


@pytest.fixture
def page(qtbot, desk: TestDesk) -> RecipePage:
    desk.open_example()
    desk.hardware.tell(reading_without_card())
    page = RecipePage(desk.desk)
    qtbot.addWidget(page)
    page.resize(1072, 768)
    page.show()
    qtbot.waitUntil(lambda: desk.desk.data.chat_file is not None)
    return page


@pytest.fixture
def queue(desk: TestDesk) -> RunQueue:
    return desk.desk.queue.queue


def press_add(page: RecipePage) -> None:
    """Ctrl+Shift+Return, with Shift let go; the dialog that opens swallows that."""
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    QTest.keyClick(page, Qt.Key.Key_Return, both)
    QTest.keyClick(page.starting.offer.dialog or page, Qt.Key.Key_Shift)
    held = QGuiApplication.keyboardModifiers()
    assert held == Qt.KeyboardModifier.NoModifier


def asked(page: RecipePage) -> QueueDialog:
    page.view.queue.click()
    return page.starting.offer.dialog


def waiting(queue: RunQueue) -> list[str]:
    return [run.title for run in queue.read().runs]


def train(qtbot, desk: TestDesk):
    """A run that goes on until it is stopped."""
    desk.scene = "steps"
    controller, project = desk.desk.controller, desk.desk.projects.current
    controller.start(project, project.recipe)
    qtbot.waitUntil(lambda: bool(controller.snapshot.steps), timeout=PATIENCE_MS)
    return controller


def stopped(qtbot, controller) -> None:
    controller.stop()
    qtbot.waitUntil(lambda: not controller.is_running, timeout=PATIENCE_MS)


def test_that_a_recipe_is_added_and_nothing_starts(qtbot, page, desk, queue):
    press_add(page)
    dialog = page.starting.offer.dialog
    assert not dialog.starts.isChecked()
    dialog.add.click()
    assert waiting(queue) == ["Cheesemonger"]
    assert queue.recipe(1) == desk.desk.projects.current.recipe
    assert queue.read().runs[0].project == "cheesemonger"
    assert page.view.note.text() == "1 run added; see Runs."
    assert page.starting.offer.dialog is None
    qtbot.wait(50)
    assert not desk.desk.controller.is_running


def test_that_a_sweep_says_how_many_runs_it_makes(page, queue):
    dialog = asked(page)
    assert dialog.add.text() == "Add 1 run"
    assert [row.isVisible() for row in dialog.rows] == [True, False, False]
    dialog.rows[0].option.set_value("lora.rank")
    assert not dialog.add.isEnabled()
    dialog.rows[0].values.setText("8, 16, 32")
    assert [row.isVisible() for row in dialog.rows] == [True, True, False]
    dialog.rows[1].option.set_value("train.learning_rate")
    dialog.rows[1].values.setText("1e-4, 2e-4")
    assert dialog.add.text() == "Add 6 runs"
    assert dialog._count.text() == "3 × 2 = 6 runs."
    dialog.add.click()
    assert len(waiting(queue)) == 6
    assert waiting(queue)[1] == "Cheesemonger lora.rank=8 train.learning_rate=2e-4"
    assert queue.recipe(6).lora.rank == 32


def test_that_values_that_are_refused_are_said_beside_them(page):
    dialog = asked(page)
    dialog.rows[0].option.set_value("lora.rank")
    dialog.rows[0].values.setText("8, many")
    assert "many" in dialog.rows[0]._error.text()
    assert not dialog.add.isEnabled()
    dialog.rows[0].values.setText("8, 16")
    assert dialog.rows[0]._error.text() == ""
    assert dialog.add.isEnabled()


def test_that_the_runs_may_wait_for_a_time(page, queue):
    dialog = asked(page)
    dialog.time.field.setText("soon")
    assert not dialog.add.isEnabled()
    dialog.time.field.setText("2099-01-01 06:00")
    dialog.add.click()
    assert queue.read().runs[0].start_at.year == 2099


def test_that_start_offers_to_wait_while_a_run_is_on(qtbot, page, desk, queue):
    controller = train(qtbot, desk)
    page.refresh()
    assert not page.view.queue.isVisible()
    page.view.start.click()
    dialog = page.starting.offer.dialog
    assert dialog.starts.text() == "Start the queue when cheesemonger-1 has ended"
    assert dialog.starts.isChecked()
    dialog.add.click()
    assert waiting(queue) == ["Cheesemonger"]
    assert desk.desk.queue.is_driving
    desk.scene = "normal"
    stopped(qtbot, controller)
    driver = desk.desk.queue
    qtbot.waitUntil(lambda: not driver.is_driving, timeout=PATIENCE_MS)
    assert waiting(queue) == []
    assert controller.snapshot.name == "cheesemonger-2"


def test_that_cancel_adds_nothing_and_starts_nothing(qtbot, page, desk, queue):
    controller = train(qtbot, desk)
    page.refresh()
    page.view.start.click()
    page.starting.offer.dialog.back.click()
    assert waiting(queue) == []
    assert not desk.desk.queue.is_driving
    stopped(qtbot, controller)


def test_that_a_queue_that_is_started_already_is_not_offered(page, desk, queue):
    with RunQueue().driven():
        dialog = asked(page)
        assert not dialog.starts.isVisible()
        dialog.add.click()
    assert not desk.desk.queue.is_driving


def test_that_a_disk_that_refuses_is_told_in_the_dialog(page, queue):
    queue._folder.path.parent.mkdir(parents=True, exist_ok=True)
    queue._folder.path.write_text("in the way")
    dialog = asked(page)
    dialog.add.click()
    assert dialog.isVisible()
    assert dialog.findings.count() == 1
    dialog.back.click()


def test_that_a_recipe_without_data_can_not_be_added(page, desk):
    desk.desk.projects.create("Empty")
    page.refresh()
    press_add(page)
    assert page.starting.offer.dialog is None


def test_that_every_control_of_the_dialog_has_a_name(page):
    dialog = asked(page)
    dialog.rows[0].option.set_value("lora.rank")
    assert_reachable(dialog)
    dialog.back.click()


def test_that_no_option_makes_one_run():
    (run,) = swept(Recipe(), "a", []).runs
    assert run == ("a", Recipe())


def test_that_an_option_chosen_twice_is_refused():
    twice = [SweptOption("lora.rank", "8"), SweptOption("lora.rank", "16")]
    found = swept(Recipe(), "a", twice)
    assert (found.runs, found.error) == ((), "Rank is chosen twice.")


def test_that_combinations_that_contradict_themselves_are_left_out():
    options = [
        SweptOption("model.precision", "bf16, fp16"),
        SweptOption("model.compute_dtype", "bf16"),
    ]
    found = swept(Recipe(), "a", options)
    assert [title for title, _ in found.runs] == [
        "a model.precision=bf16 model.compute_dtype=bf16"
    ]
    assert found.words.startswith("2 × 1 = 2 runs. 1 of them is left out: ")


def test_that_a_sweep_of_nothing_but_contradictions_says_why():
    found = swept(Recipe(), "a", [SweptOption("model.precision", "fp16")])
    assert found.runs == ()
    assert found.error


def test_that_too_many_runs_are_refused():
    seeds = ", ".join(str(seed) for seed in range(65))
    assert (
        "65 runs" in swept(Recipe(), "a", [SweptOption("train.seed", seeds)]).errors[0]
    )


def test_that_only_options_with_single_values_are_swept():
    keys = {key for key, _ in sweepable()}
    assert {"lora.rank", "train.optimizer", "train.packing"} <= keys
    assert not {"data.path", "data.mix", "model.name"} & keys
