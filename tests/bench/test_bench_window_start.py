"""How long from the start of the process until the window is on the screen."""

import os
import statistics
import subprocess
import sys
import time

ROUNDS = 5
MOST_S = 1.0
CHILD = """
import sys, time
from studio import app

def shown(window):
    print(time.time(), flush=True)
    window.close()

sys.exit(app.main([], on_shown=shown))
"""


def seconds_to_window(home) -> float:
    environment = {**os.environ, "SNUGTUNE_HOME": str(home)}
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return float(done.stdout.split()[0]) - began


def test_that_the_window_shows_within_a_second(tmp_path):
    measured = [seconds_to_window(tmp_path) for _ in range(ROUNDS)]
    median = statistics.median(measured)
    each = ", ".join(f"{seconds:.3f}" for seconds in measured)
    print(f"process start to window: median {median:.3f} s of {each}")
    assert median < MOST_S
