"""The real window with every scene of the played driver."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nvml_stub.build import CALLS, environment, played_driver

__all__ = ["played_driver"]

pytestmark = [pytest.mark.e2e]

DRIVER = Path(__file__).with_name("window_driver.py")
PATIENCE_S = 400


@pytest.fixture(scope="module")
def watched(played_driver, tmp_path_factory):
    """(report of the window, (process, thread) of each call of the driver)."""
    folder = tmp_path_factory.mktemp("watched")
    calls = folder / "calls.txt"
    more = {CALLS: str(calls), "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, str(DRIVER), "watch_cards", str(folder)],
        env=environment(played_driver, "rtx-4090-idle", folder / "home", **more),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    asked = [line.split() for line in calls.read_text().splitlines()]
    return report, [(process, thread) for process, thread, _ in asked]


def test_that_every_scene_is_told_and_the_window_lives_on_while_the_driver_hangs(
    watched,
):
    report, _ = watched
    assert report["fault"] == ""


def test_that_the_driver_is_never_asked_in_the_window_s_thread(watched):
    _, asked = watched
    assert asked
    assert [process for process, thread in asked if process == thread] == []
