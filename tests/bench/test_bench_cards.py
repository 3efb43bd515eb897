"""How long the window stands still while the driver is asked, at worst."""

import json
import statistics
import subprocess
import sys

from tests.bench.pace import slowness
from tests.nvml_stub.build import SCENES, environment, played_driver

__all__ = ["played_driver"]

MOST_MS = 100
# The hanging call comes with the third poll and stays, so it is the last.
PLAYED = (
    "rtx-4090-idle",
    "rtx-3060-game",
    "t4",
    "two-unlike-cards",
    "a100-mig",
    "wsl",
    "gb10",
    "version-mismatch",
    "no-permission",
    "lost-at-tenth-poll",
    "hanging-call",
)
ROUNDS = 2
CHILD = """
import json, os, sys, time
from PySide6.QtCore import QTimer, Qt
from studio import app
from studio.services.hardware_monitor import HardwareMonitor

# Twelve polls of each scene in the time of two, so that the tenth is among them.
HardwareMonitor.start.__defaults__ = (0.2,)
scenes = sys.argv[1:]
stalls = {}

class Beat:
    def __init__(self):
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.setInterval(5)
        self.timer.timeout.connect(self.beat)
        self.last = self.longest = 0.0

    def beat(self):
        now = time.perf_counter()
        if self.last:
            self.longest = max(self.longest, now - self.last)
        self.last = now

    def take(self):
        longest, self.longest, self.last = self.longest, 0.0, 0.0
        return longest

def watch(window):
    # Steps of the window's own loop: QTest.qWait would keep the other threads waiting.
    window.show_page("hardware")
    yield 2500  # the page is built and its charts are imported
    beat = Beat()
    beat.timer.start()
    look_again = window.built_page("hardware").view.look_again
    for path in scenes:
        os.environ["SNUGTUNE_NVML_SCENE"] = path
        os.environ.pop("WSL_DISTRO_NAME", None)
        if "wsl" in path:
            os.environ["WSL_DISTRO_NAME"] = "Ubuntu"
        look_again.click()
        beat.take()
        yield 2500
        page = window.built_page("hardware")
        stalls[os.path.basename(path)] = beat.take() * 1000, page._words.facts
    beat.timer.stop()
    print(json.dumps(stalls), flush=True)
    window.close()

def go_on(steps):
    pause_ms = next(steps, None)
    if pause_ms is not None:
        QTimer.singleShot(pause_ms, lambda: go_on(steps))

def shown(window):
    QTimer.singleShot(500, lambda: go_on(watch(window)))

sys.exit(app.main([], on_shown=shown))
"""


def stalls_ms(driver, home) -> dict[str, tuple[float, str]]:
    """By scene, the longest stand-still and the line of facts at its end."""
    scenes = [str(SCENES / f"{name}.scene") for name in PLAYED]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *scenes],
        env=environment(driver, PLAYED[0], home, QT_QPA_PLATFORM="offscreen"),
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_that_no_scene_stops_the_window_for_a_tenth_of_a_second(
    played_driver, tmp_path
):
    rounds, pace = [], []
    for _ in range(ROUNDS):
        pace.append(slowness())
        rounds.append(stalls_ms(played_driver, tmp_path))
    slow = statistics.median([*pace, slowness()])
    # The best of the rounds: what else the machine does must not count.
    best = {scene: min(told[scene][0] for told in rounds) for scene in rounds[0]}
    facts = {facts for _, facts in rounds[0].values()}
    assert len(facts) >= len(PLAYED) - 3, "scenes without a card look alike, no others"
    for scene, longest in best.items():
        print(f"{scene}: the window stood still for {longest:.0f} ms at most")
    print(f"on a machine {slow:.1f} times slower than quiet")
    assert max(best.values()) / slow < MOST_MS
