import os
import subprocess
from pathlib import Path

import pytest

from studio.domain.errors import StudioError
from studio.domain.hardware import GIB, MachineReading
from studio.domain.run import RunState
from studio.protocol.codec import encode
from studio.protocol.events import Hello, RunFinished
from studio.services import run_controller
from studio.services.hardware_monitor import HardwareMonitor
from studio.services.preferences import KeepRunning, Preferences
from studio.services.process_outcome import CANCELLED, Ordered
from studio.services.project_store import ensure_example
from studio.services.run_controller import RunController
from studio.services.run_journal import snapshot_of
from studio.storage.run_directory import RunDirectory
from studio.system.processes import is_alive, kill_group, own_group
from tests.services.conftest import fake_engine, playing

PATIENCE_MS = 20_000

READING = MachineReading(
    processor="A processor",
    processor_has_bf16=True,
    ram_total_bytes=64 * GIB,
    ram_available_bytes=60 * GIB,
    disk_free_bytes=GIB,
    read_at=1.0,
)


@pytest.fixture
def example(home):
    return ensure_example()


@pytest.fixture
def control(qtbot):
    controllers = []

    def make(scene="steps", **options):
        controller = RunController(
            Preferences(), HardwareMonitor(), command_for=playing(scene), **options
        )
        controllers.append(controller)
        return controller

    yield make
    for controller in controllers:
        if controller.is_running:
            controller.kill()
            controller.close(keep_running=False)


@pytest.fixture
def engine_of():
    """Starts an engine that no window of this test owns."""
    started = []

    def start(directory, scene="steps", **options):
        process = subprocess.Popen(
            fake_engine(scene, directory),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            **own_group(),
            **options,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()


def wait_for_end(qtbot, controller):
    qtbot.waitUntil(lambda: not controller.is_running, timeout=PATIENCE_MS)


def wait_for_steps(qtbot, controller, steps=1):
    qtbot.waitUntil(lambda: controller.snapshot.step >= steps, timeout=PATIENCE_MS)


def test_that_a_run_is_told_from_start_to_end(qtbot, control, example):
    controller = control("normal")
    told, ends = [], []
    controller.snapshot_changed.connect(told.append)
    controller.run_ended.connect(ends.append)
    first = controller.start(example, example.recipe)
    assert first.state is RunState.STARTING
    assert controller.is_running
    wait_for_end(qtbot, controller)
    assert ends == ["Finished after 5 steps."]
    assert told[0] == first
    assert told[-1] == controller.snapshot == snapshot_of(controller.directory)
    assert controller.snapshot.state is RunState.FINISHED
    assert controller.directory.read_recipe() == example.recipe


def test_that_a_killed_engine_is_told_and_no_recorded_event_is_lost(
    qtbot, control, example
):
    controller = control("steps")
    ends = []
    controller.run_ended.connect(ends.append)
    controller.start(example, example.recipe)
    wait_for_steps(qtbot, controller, 3)
    os.kill(controller.snapshot.engine.pid, 9)
    wait_for_end(qtbot, controller)
    recorded = list(controller.directory.events())
    assert controller.snapshot.state is RunState.LOST
    assert controller.snapshot.step == sum(hasattr(e, "lr") for e in recorded)
    (sentence,) = ends
    assert "without a word (signal 9)" in sentence
    assert controller.snapshot.failure.what == sentence


def test_that_the_journal_wins_over_a_wire_that_broke(qtbot, control, example):
    controller = control("mute")
    controller.start(example, example.recipe)
    wait_for_end(qtbot, controller)
    assert controller.snapshot.step == 3
    assert controller.snapshot.state is RunState.FINISHED


def test_that_the_wire_wins_over_a_journal_that_broke(qtbot, control, example):
    controller = control("without-journal")
    controller.start(example, example.recipe)
    wait_for_end(qtbot, controller)
    assert controller.snapshot.step == 2
    assert controller.snapshot.state is RunState.FINISHED


def test_that_a_run_is_stopped_after_the_step(qtbot, control, example):
    controller = control("steps")
    controller.start(example, example.recipe)
    wait_for_steps(qtbot, controller)
    controller.save_now()
    controller.sample_now()
    qtbot.waitUntil(
        lambda: bool(controller.snapshot.checkpoints and controller.snapshot.samples),
        timeout=PATIENCE_MS,
    )
    controller.stop()
    assert controller.ordered is Ordered.STOP
    wait_for_end(qtbot, controller)
    assert controller.snapshot.state is RunState.STOPPED


@pytest.mark.parametrize("rung", ["terminate", "kill"])
def test_that_a_run_can_be_ended_by_force(qtbot, control, example, rung):
    controller = control("deaf")
    ends = []
    controller.run_ended.connect(ends.append)
    controller.start(example, example.recipe)
    qtbot.waitUntil(lambda: controller.snapshot.engine is not None, timeout=PATIENCE_MS)
    getattr(controller, rung)()
    wait_for_end(qtbot, controller)
    assert "ended by force" in ends[0]


def test_that_one_run_at_a_time_is_started(qtbot, control, example):
    controller = control("steps")
    controller.start(example, example.recipe)
    with pytest.raises(StudioError, match="still running"):
        controller.start(example, example.recipe)
    with pytest.raises(StudioError, match="still running"):
        controller.attach(controller.directory)
    assert len(example.run_directories()) == 1


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("model.name", "", "No model is chosen"),
        ("model.name", "owner/none", "not on this machine"),
        ("data.path", "/no/such/file", "no such data file"),
        ("model.attention", "flash", "FlashAttention does not run"),
    ],
)
def test_that_an_error_refuses_the_start_and_makes_nothing(
    control, example, key, value, words
):
    controller = control()
    controller._hardware._latest = READING
    with pytest.raises(StudioError, match=words):
        controller.start(example, example.recipe.with_value(key, value))
    assert not controller.is_running
    assert controller.snapshot is None
    assert example.run_directories() == []


def test_that_an_engine_that_can_t_start_is_told(qtbot, control, example):
    controller = RunController(
        Preferences(), HardwareMonitor(), command_for=lambda _run: ["/no/such/program"]
    )
    ends = []
    controller.run_ended.connect(ends.append)
    controller.start(example, example.recipe)
    wait_for_end(qtbot, controller)
    assert "could not be followed" in ends[0]
    assert controller.snapshot.state is RunState.LOST


def test_that_a_second_run_follows_the_first(qtbot, control, example):
    controller = control("normal")
    for number in (1, 2):
        controller.start(example, example.recipe)
        wait_for_end(qtbot, controller)
        assert controller.snapshot.name == f"cheesemonger-{number}"


def test_that_a_closing_window_ends_its_run(qtbot, control, example):
    controller = control("steps")
    controller.start(example, example.recipe)
    wait_for_steps(qtbot, controller)
    identity = controller.snapshot.engine
    controller.close(keep_running=False)
    assert not is_alive(identity)
    assert not controller.is_running
    assert controller.snapshot.state is RunState.STOPPED


def test_that_a_closing_window_ends_even_a_stuck_run(
    qtbot, control, example, monkeypatch
):
    monkeypatch.setattr(run_controller, "_CLOSING_GRACE_S", 0.1)
    monkeypatch.setattr("studio.services.trainer_process.TERMINATE_GRACE_S", 0.1)
    controller = control("stuck")
    controller.start(example, example.recipe)
    qtbot.waitUntil(lambda: controller.snapshot.engine is not None, timeout=PATIENCE_MS)
    identity = controller.snapshot.engine
    controller.close(keep_running=False)
    assert not is_alive(identity)


@pytest.mark.parametrize("preference", list(KeepRunning))
def test_that_a_run_can_outlive_its_window_and_be_joined_again(
    qtbot, control, example, preference
):
    controller = control("steps")
    controller._preferences.keep_running = preference
    controller.start(example, example.recipe)
    wait_for_steps(qtbot, controller)
    identity = controller.snapshot.engine
    controller.close(keep_running=True)
    assert not controller.is_running
    assert is_alive(identity)
    assert not controller.snapshot.state.is_over

    later = control()
    ends = []
    later.run_ended.connect(ends.append)
    joined = later.attach(controller.directory)
    assert joined.state is RunState.RUNNING
    wait_for_steps(qtbot, later, joined.step + 2)
    later.kill()
    qtbot.waitUntil(lambda: not is_alive(identity), timeout=PATIENCE_MS)
    os.waitpid(identity.pid, 0)
    wait_for_end(qtbot, later)
    assert later.snapshot.state is RunState.LOST
    assert ends[0].startswith("Cancelled. ")
    assert later.snapshot.failure.code == CANCELLED


def test_that_a_joined_run_is_followed_to_its_end(qtbot, control, example, engine_of):
    directory = example.new_run(example.recipe)
    process = engine_of(directory)
    controller = control()
    ends = []
    controller.run_ended.connect(ends.append)
    qtbot.waitUntil(lambda: snapshot_of(directory).step > 0, timeout=PATIENCE_MS)
    controller.attach(directory)
    process.stdin.write(b'{"command": "stop"}\n')
    process.stdin.flush()
    wait_for_end(qtbot, controller)
    assert controller.snapshot.state is RunState.STOPPED
    assert ends == [f"Stopped after step {controller.snapshot.step}."]


def test_that_a_joined_run_takes_orders_as_an_own_one(
    qtbot, control, example, engine_of
):
    directory = example.new_run(example.recipe)
    engine_of(directory)
    controller = control()
    qtbot.waitUntil(lambda: snapshot_of(directory).step > 0, timeout=PATIENCE_MS)
    controller.attach(directory)
    controller.save_now()
    qtbot.waitUntil(lambda: bool(controller.snapshot.checkpoints), timeout=PATIENCE_MS)
    controller.pause()
    assert controller.ordered is Ordered.PAUSE
    wait_for_end(qtbot, controller)
    assert controller.snapshot.state is RunState.PAUSED


def test_that_a_joined_run_which_hears_nothing_is_ended_by_a_signal(
    qtbot, control, example, engine_of
):
    directory = example.new_run(example.recipe)
    process = engine_of(directory, "deaf")
    controller = control()
    qtbot.waitUntil(
        lambda: snapshot_of(directory).engine is not None, timeout=PATIENCE_MS
    )
    controller.attach(directory)
    controller.stop()
    controller.terminate()
    assert process.wait(20) == 143
    wait_for_end(qtbot, controller)
    assert controller.snapshot.state is RunState.LOST


def test_that_closing_lets_a_joined_run_live_or_ends_it(
    qtbot, control, example, engine_of
):
    directory = example.new_run(example.recipe)
    process = engine_of(directory, "deaf")
    qtbot.waitUntil(
        lambda: snapshot_of(directory).engine is not None, timeout=PATIENCE_MS
    )
    controller = control()
    controller.attach(directory)
    controller.close(keep_running=True)
    assert process.poll() is None
    controller.attach(directory)
    controller.close(keep_running=False)
    assert process.wait(20) == 143
    assert not controller.is_running


def test_that_a_run_that_is_over_is_only_shown(control, example):
    directory = example.new_run(example.recipe)
    hello = Hello(protocol=1, verb="train", pid=1, started_at=1.0)
    done = RunFinished(adapter="adapter", steps=0)
    directory.journal_path.write_bytes(encode(hello) + encode(done))
    controller = control()
    assert controller.attach(directory).state is RunState.FINISHED
    assert not controller.is_running
    directory.merged_path.mkdir()
    (directory.merged_path / "config.json").write_text("{}")
    controller.refresh()
    assert controller.snapshot.merged == "merged"


def test_that_a_run_is_paused_and_gone_on_with(qtbot, control, example):
    controller = control()
    ends = []
    controller.run_ended.connect(ends.append)
    controller.start(example, example.recipe)
    wait_for_steps(qtbot, controller, 3)
    controller.pause()
    wait_for_end(qtbot, controller)
    paused = controller.snapshot
    assert paused.state is RunState.PAUSED
    assert ends == [f"Paused behind step {paused.step}."]
    again = controller.resume(controller.directory)
    assert again.state is RunState.STARTING
    assert again.steps == paused.steps
    wait_for_steps(qtbot, controller, paused.step + 2)
    assert [p.step for p in controller.snapshot.steps] == list(
        range(1, controller.snapshot.step + 1)
    )
    controller.stop()
    wait_for_end(qtbot, controller)
    assert controller.snapshot.state is RunState.STOPPED


def test_that_a_stop_overtakes_a_pause(qtbot, control, example):
    controller = control("busy-stopping")
    controller.start(example, example.recipe)
    controller.pause()
    controller.stop()
    wait_for_end(qtbot, controller)
    assert controller.snapshot.state is RunState.STOPPED


def test_that_what_changed_is_refused_until_it_is_accepted(qtbot, control, example):
    controller = control("changed")
    controller.start(example, example.recipe)
    wait_for_steps(qtbot, controller)
    controller.pause()
    wait_for_end(qtbot, controller)
    controller.resume(controller.directory)
    wait_for_end(qtbot, controller)
    assert controller.snapshot.failure.code == "run.changed"
    step = controller.snapshot.step
    controller.resume(controller.directory, accept_changes=True)
    wait_for_steps(qtbot, controller, step + 1)
    controller.stop()
    wait_for_end(qtbot, controller)


def test_that_a_run_with_nothing_to_go_on_from_is_refused(qtbot, control, example):
    controller = control("normal")
    controller.start(example, example.recipe)
    wait_for_end(qtbot, controller)
    with pytest.raises(StudioError, match="has finished"):
        controller.resume(controller.directory)
    assert not controller.is_running


def test_that_orders_without_a_run_do_nothing(control):
    controller = control()
    controller.pause()
    controller.stop()
    controller.save_now()
    controller.sample_now()
    controller.terminate()
    controller.kill()
    controller.refresh()
    controller.close(keep_running=False)
    assert controller.snapshot is None


WINDOW = """
import sys
from PySide6.QtCore import QCoreApplication
from studio.services.hardware_monitor import HardwareMonitor
from studio.services.preferences import KeepRunning, Preferences
from studio.services.project_store import ensure_example
from studio.services.run_controller import RunController

app = QCoreApplication([])
engine, keeps, scene = sys.argv[1:]
preferences = Preferences()
preferences.keep_running = KeepRunning(keeps)
controller = RunController(
    preferences,
    HardwareMonitor(),
    command_for=lambda run: [sys.executable, engine, scene, str(run.path)],
)


def tell(snapshot):
    if snapshot.checkpoints or snapshot.step > 1:
        print(controller.directory.path, flush=True)


controller.snapshot_changed.connect(tell)
example = ensure_example()
recipe = example.recipe.with_value("train.micro_batch", 4)
controller.start(example, recipe)
app.exec()
"""


@pytest.fixture
def killed_window(tmp_path, home):
    """Starts a run in another window, kills that, and tells where the run lies."""

    def kill(keeps, scene="steps"):
        window = tmp_path / "window.py"
        window.write_text(WINDOW)
        python, engine, _ = fake_engine(scene)
        process = subprocess.Popen(
            [python, str(window), engine, keeps, scene],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        directory = RunDirectory(Path(process.stdout.readline().strip()))
        process.kill()
        process.wait()
        process.stdout.close()
        killed.append(directory)
        return directory

    killed = []
    yield kill
    for directory in killed:
        kill_group(snapshot_of(directory).engine)


@pytest.mark.parametrize("keeps", [KeepRunning.ASK, KeepRunning.NO])
def test_that_a_window_that_is_killed_leaves_no_engine_behind(
    qtbot, killed_window, keeps
):
    engine = snapshot_of(killed_window(keeps)).engine
    qtbot.waitUntil(lambda: not is_alive(engine), timeout=PATIENCE_MS)


def test_that_an_engine_told_to_keep_running_outlives_its_killed_window(
    qtbot, killed_window, control
):
    directory = killed_window(KeepRunning.YES)
    before = snapshot_of(directory)
    controller = control()
    ends = []
    controller.run_ended.connect(ends.append)
    joined = controller.attach(directory)
    assert joined.state is RunState.RUNNING
    wait_for_steps(qtbot, controller, joined.step + 2)
    controller.stop()
    wait_for_end(qtbot, controller)
    told = controller.snapshot
    assert told.engine == before.engine
    assert told.state is RunState.STOPPED
    assert [point.step for point in told.steps] == list(range(1, told.step + 1))
    assert told.steps[: len(before.steps)] == before.steps
    assert told == snapshot_of(directory)
    assert ends == [f"Stopped after step {told.step}."]


def test_that_a_run_of_a_killed_window_goes_on_in_less_memory(
    qtbot, killed_window, control
):
    scene = "runs-out-when-asked"
    directory = killed_window(KeepRunning.YES, scene)
    controller = control(scene)
    controller.attach(directory)
    controller.sample_now()
    wait_for_end(qtbot, controller)
    assert controller.snapshot.state is RunState.FINISHED
    assert [each.step for each in controller.snapshot.adaptations] == [2]
