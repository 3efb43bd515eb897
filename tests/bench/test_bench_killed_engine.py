"""How long from an engine's death until its sentence reaches the window's thread."""

import os
import signal
import statistics
import time

from studio.services.background import WorkerThread
from studio.services.engine_process import EngineProcess
from studio.services.trainer_process import TrainingWorker
from tests.services.conftest import fake_engine

ROUNDS = 5
MOST_S = 2.0
PATIENCE_MS = 30_000


def seconds_to_sentence(qtbot) -> float:
    worker = TrainingWorker(EngineProcess(fake_engine("stuck")))
    thread = WorkerThread(worker, worker.run)
    events, outcomes, told_at = [], [], []
    worker.events_arrived.connect(events.extend)
    worker.run_ended.connect(outcomes.append)
    thread.start()
    qtbot.waitUntil(lambda: bool(events), timeout=PATIENCE_MS)
    began = time.monotonic()
    os.kill(events[0].pid, signal.SIGKILL)

    def told() -> bool:
        if outcomes:
            told_at.append(time.monotonic())
        return bool(outcomes)

    qtbot.waitUntil(told, timeout=PATIENCE_MS)
    assert "signal 9" in outcomes[0].sentence()
    assert thread.join()
    return told_at[0] - began


def test_that_a_killed_engine_is_told_within_two_seconds(qtbot):
    measured = [seconds_to_sentence(qtbot) for _ in range(ROUNDS)]
    each = ", ".join(f"{seconds:.2f}" for seconds in measured)
    print(f"kill to sentence: median {statistics.median(measured):.2f} s of {each}")
    assert max(measured) < MOST_S
