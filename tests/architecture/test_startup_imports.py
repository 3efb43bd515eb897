"""What the window may not pay for before it is on the screen."""

import json
import os
import subprocess
import sys
from pathlib import Path

BANNED = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "bitsandbytes",
    "datasets",
    "accelerate",
    "numpy",
    "pyqtgraph",
)
CHILD = """
import json, sys
from PySide6.QtCore import QTimer
from studio import app

told = {}

def shown(window):
    told["frame"] = sorted(sys.modules)
    furnished = QTimer(window)
    furnished.setInterval(20)
    def look():
        if window.current_page() == "start":
            told["start"] = sorted(sys.modules)
            furnished.stop()
            window.close()
    furnished.timeout.connect(look)
    furnished.start()

code = app.main(sys.argv[1:], on_shown=shown)
print(json.dumps(told))
sys.exit(code)
"""


def modules_loaded(home: Path, *arguments: str) -> dict[str, set[str]]:
    environment = {
        **os.environ,
        "SNUGTUNE_HOME": str(home),
        "QT_QPA_PLATFORM": "offscreen",
    }
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    return {moment: set(modules) for moment, modules in told.items()}


def test_that_the_window_shows_without_what_only_runs_and_charts_need(tmp_path):
    loaded = modules_loaded(tmp_path, "--example")
    assert loaded["frame"].isdisjoint(BANNED)
    assert loaded["start"].isdisjoint(BANNED)


def test_that_the_frame_shows_before_the_machine_and_the_pages_are_looked_at(tmp_path):
    frame = modules_loaded(tmp_path)["frame"]
    assert "pynvml" not in frame
    assert not {module for module in frame if module.endswith(".page")}


def test_that_the_door_imports_the_window_or_the_commands_but_never_both():
    code = "import sys, studio.__main__; print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "studio.app" not in done.stdout
    assert "studio.cli" not in done.stdout
    assert "PySide6" not in done.stdout
