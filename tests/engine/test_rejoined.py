"""A real engine that nobody leads, and a window that joins it when memory runs out."""

import subprocess

import pytest

from studio.domain.run import RunState
from studio.engine import faults
from studio.protocol.events import Hello, RunAdapted
from studio.services.hardware_monitor import HardwareMonitor
from studio.services.launch import engine_command, engine_environment
from studio.services.preferences import Preferences
from studio.services.project_store import create_project
from studio.services.rejoin import living_run
from studio.services.run_controller import RunController
from studio.services.run_journal import snapshot_of
from studio.storage.in_force import recipe_in_force
from studio.storage.run_lock import is_in_hand
from studio.system.processes import own_group
from tests.engine.helpers import of_kind
from tests.engine.test_resume import make_run, weights

PATIENCE_MS = 120_000


@pytest.fixture
def left_running(tmp_path, tiny_model, monkeypatch):
    """A run whose window is gone, and which memory will run out for twice."""
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    recipe = make_run(tmp_path, tiny_model).read_recipe()
    run = create_project("Notes").new_run(recipe)
    monkeypatch.setenv(faults.FAULTS, "step:oom@5,step.optimizer:oom@8")
    monkeypatch.setenv(faults.NOTED, str(tmp_path / "noted"))
    engine = subprocess.Popen(
        engine_command("train", str(run.path)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=engine_environment(keep_running=True),
        **own_group(),
    )
    yield run
    engine.kill()
    engine.wait()


def test_that_a_window_leads_a_run_that_it_joined_to_its_end(qtbot, left_running):
    run = left_running
    qtbot.waitUntil(lambda: snapshot_of(run).engine is not None, timeout=PATIENCE_MS)
    found = living_run(None)
    assert found == run
    controller = RunController(Preferences(), HardwareMonitor())
    controller.attach(found)
    qtbot.waitUntil(lambda: not controller.is_running, timeout=PATIENCE_MS)
    told = controller.snapshot
    assert told.state is RunState.FINISHED, told.failure
    assert len(told.adaptations) == len(of_kind(run.events(), RunAdapted)) == 2
    assert len(of_kind(run.events(), Hello)) == 3
    assert [point.step for point in told.steps] == list(range(1, told.step + 1))
    assert recipe_in_force(run).train.micro_batch == 1
    assert weights(run)
    assert not is_in_hand(run)
