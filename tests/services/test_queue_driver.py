"""The queue in the window: runs start in turn, once, and only when asked for."""

from datetime import datetime, timedelta

import pytest

from studio.domain.errors import StudioError, refusal
from studio.domain.run import RunState
from studio.services.hardware_monitor import HardwareMonitor
from studio.services.library import all_runs
from studio.services.preferences import Preferences
from studio.services.project_store import ensure_example
from studio.services.projects import Projects
from studio.services.queue_driver import QueueDriver
from studio.services.run_controller import RunController
from studio.services.run_journal import snapshot_of
from studio.services.run_queue import RunQueue
from studio.storage.run_lock import held
from tests.services.conftest import fake_engine

PATIENCE_MS = 20_000


@pytest.fixture
def recipe(home):
    return ensure_example().recipe


@pytest.fixture
def scenes():
    """The scenes that the next engines play; the last one is played again."""
    return ["normal"]


@pytest.fixture
def driver(qtbot, recipe, scenes):
    def command(directory):
        scene = scenes.pop(0) if len(scenes) > 1 else scenes[0]
        return fake_engine(scene, directory)

    controller = RunController(Preferences(), HardwareMonitor(), command_for=command)
    made = QueueDriver(
        controller, Projects(), check=lambda _recipe: None, look_every_ms=10
    )
    made.told = []
    made.refused.connect(made.told.append)
    yield made
    made.close()
    if controller.is_running:
        controller.kill()
        controller.close(keep_running=False)


def add(driver, recipe, *titles, start_at=None):
    runs = [(title, recipe) for title in titles]
    return [run.number for run in driver.queue.add("Cheesemonger", runs, start_at)]


def waiting(driver):
    return [run.title for run in driver.queue.read().runs]


def ended(qtbot, driver):
    qtbot.waitUntil(lambda: not driver.is_driving, timeout=PATIENCE_MS)


def running(qtbot, driver):
    """Wait until a run of the queue has left it and makes steps."""
    controller = driver._controller
    qtbot.waitUntil(
        lambda: controller.is_running and bool(controller.snapshot.steps),
        timeout=PATIENCE_MS,
    )


def test_that_nothing_starts_unasked(qtbot, driver, recipe):
    add(driver, recipe, "a")
    qtbot.wait(100)
    assert waiting(driver) == ["a"]
    assert all_runs() == []


@pytest.mark.parametrize("first", ["normal", "fails", "crash"])
def test_that_runs_start_in_turn_however_one_ended(
    qtbot, driver, recipe, scenes, first
):
    scenes[:] = [first, "normal"]
    add(driver, recipe, "a", "b")
    driver.drive()
    ended(qtbot, driver)
    assert waiting(driver) == []
    states = [snapshot_of(run).state for run in all_runs()]
    assert len(states) == 2
    assert RunState.FINISHED in states


def test_that_a_run_leaves_the_queue_when_its_engine_has_spoken(
    qtbot, driver, recipe, scenes
):
    scenes[:] = ["steps"]
    add(driver, recipe, "a", "b")
    driver.drive()
    qtbot.waitUntil(lambda: driver.begun is not None, timeout=PATIENCE_MS)
    assert driver.begun.title == "a"
    running(qtbot, driver)
    assert driver.begun is None
    assert waiting(driver) == ["b"]
    assert driver.waits_for == driver._controller.directory


@pytest.mark.parametrize("deed", ["stop", "pause"])
def test_that_ending_a_run_of_the_queue_by_hand_holds_the_queue(
    qtbot, driver, recipe, scenes, deed
):
    scenes[:] = ["steps"]
    add(driver, recipe, "a", "b")
    driver.drive()
    running(qtbot, driver)
    getattr(driver._controller, deed)()
    ended(qtbot, driver)
    assert waiting(driver) == ["b"]
    assert len(all_runs()) == 1


def test_that_the_queue_goes_on_when_another_run_was_stopped(
    qtbot, driver, recipe, scenes
):
    scenes[:] = ["steps", "normal"]
    driver._controller.train(ensure_example().new_run(recipe))
    add(driver, recipe, "a")
    driver.drive()
    running(qtbot, driver)
    assert waiting(driver) == ["a"]
    driver._controller.stop()
    ended(qtbot, driver)
    assert waiting(driver) == []
    assert len(all_runs()) == 2


def test_that_holding_leaves_the_run_alone(qtbot, driver, recipe, scenes):
    scenes[:] = ["steps"]
    add(driver, recipe, "a", "b")
    driver.drive()
    running(qtbot, driver)
    driver.hold()
    assert driver._controller.is_running
    driver._controller.stop()
    qtbot.waitUntil(lambda: not driver._controller.is_running, timeout=PATIENCE_MS)
    qtbot.wait(100)
    assert waiting(driver) == ["b"]


def test_that_a_run_waits_for_its_time_and_holds_up_none(qtbot, driver, recipe):
    tomorrow = datetime.now().astimezone() + timedelta(days=1)
    (number,) = add(driver, recipe, "a", start_at=tomorrow)
    add(driver, recipe, "b")
    driver.drive()
    qtbot.waitUntil(
        lambda: driver.waits_for == driver.queue.read().run(number).start_at,
        timeout=PATIENCE_MS,
    )
    assert waiting(driver) == ["a"]
    driver.queue.change(lambda queue: queue.timed(number, None))
    ended(qtbot, driver)
    assert waiting(driver) == []


def test_that_a_run_elsewhere_is_waited_for(qtbot, driver, recipe):
    busy = ensure_example().new_run(recipe)
    add(driver, recipe, "a")
    with held(busy):
        driver.drive()
        qtbot.waitUntil(lambda: driver.waits_for == busy, timeout=PATIENCE_MS)
    ended(qtbot, driver)
    assert waiting(driver) == []


def test_that_one_that_is_refused_is_told_once_and_stays(qtbot, driver, recipe):
    def check(found):
        if found.lora.rank == 7:
            raise refusal("memory.short", "Short by 1 GiB.")

    driver._check = check
    add(driver, recipe.with_value("lora.rank", 7), "a")
    add(driver, recipe, "b")
    driver.drive()
    ended(qtbot, driver)
    assert waiting(driver) == ["a"]
    (told,) = driver.told
    assert (told.what, told.why) == ("a was not started.", "Short by 1 GiB.")


def test_that_advice_on_what_was_refused_is_told_with_where_it_waits(
    qtbot, driver, recipe
):
    def check(_found):
        raise refusal("data.not-fetched", "It isn't here.", fix="Type snugtune data.")

    driver._check = check
    add(driver, recipe, "a")
    driver.drive()
    ended(qtbot, driver)
    (told,) = driver.told
    assert told.why == "It isn't here."
    assert told.how_to_fix.startswith("Type snugtune data. It stays in the queue")


def test_that_a_recipe_that_fails_at_the_last_moment_is_told(
    qtbot, driver, recipe, monkeypatch
):
    def refuse(_queued, _recipe):
        raise refusal("disk.full", "The disk is full.")

    monkeypatch.setattr(driver, "_make", refuse)
    add(driver, recipe, "a")
    driver.drive()
    ended(qtbot, driver)
    assert [run.trouble.what for run in driver.queue.read().runs] == [
        "The disk is full."
    ]
    assert len(driver.told) == 1


def test_that_a_queue_that_can_not_be_read_is_told_and_held(qtbot, driver, recipe):
    add(driver, recipe, "a")
    driver.drive()
    driver.queue._folder._document_path.write_text("version = 99\n")
    ended(qtbot, driver)
    assert "newer" in driver.told[0].what


def test_that_a_run_added_during_a_look_is_not_forgotten(
    qtbot, driver, recipe, monkeypatch
):
    found, looks = driver._find, []

    def find():
        told = found()
        looks.append(told)
        if len(looks) == 1:  # it has found nothing already
            add(driver, recipe, "a")
            driver._is_outdated = True
        return told

    monkeypatch.setattr(driver, "_find", find)
    driver.drive()
    ended(qtbot, driver)
    assert waiting(driver) == []
    assert len(all_runs()) == 1


def test_that_a_change_asks_for_another_look(qtbot, driver, recipe):
    tomorrow = datetime.now().astimezone() + timedelta(days=1)
    (number,) = add(driver, recipe, "a", start_at=tomorrow)
    driver._look_every_ms = 1_000_000
    driver.drive()
    qtbot.waitUntil(lambda: driver.waits_for is not None, timeout=PATIENCE_MS)
    driver.change(lambda queue: queue.timed(number, None))
    qtbot.waitUntil(lambda: driver._controller.is_running, timeout=PATIENCE_MS)
    driver._look_every_ms = 10
    ended(qtbot, driver)


def test_that_a_terminal_and_the_window_never_drive_together(driver, recipe):
    with RunQueue().driven():
        with pytest.raises(StudioError) as refused:
            driver.drive()
        assert refused.value.finding.code == "queue.driven"
        assert not driver.is_driving
    driver.drive()
    assert RunQueue().is_driven()
    driver.close()
    assert not RunQueue().is_driven()


def test_that_a_run_begun_before_a_crash_is_taken_up(qtbot, driver, recipe):
    add(driver, recipe, "a")
    (queued,) = driver.queue.read().runs
    made = driver._make(queued, recipe)
    driver.drive()
    ended(qtbot, driver)
    assert all_runs() == [made]
    assert snapshot_of(made).state is RunState.FINISHED


def test_that_a_project_that_is_gone_is_made_again(qtbot, driver, recipe):
    driver.queue.add("Night shift", [("a", recipe)])
    with qtbot.waitSignal(driver._projects.projects_changed, timeout=PATIENCE_MS):
        driver.drive()
    ended(qtbot, driver)
    assert [run.name for run in all_runs()] == ["night-shift-1"]
