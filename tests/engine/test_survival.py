"""A dozen seeded faults, each survived; `tests.bench.survival` lets 200 happen."""

import json
import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.torch,
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="each life is a fork"),
]


def campaign(folder, name, *arguments):
    """The figures of a campaign, in a process of its own.

    One that has computed gradients can't be forked.
    """
    told = folder / "told.json"
    command = [sys.executable, "-m", f"tests.bench.{name}", "--json", str(told)]
    done = subprocess.run(
        [*command, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return json.loads(told.read_text(encoding="utf-8"))


def test_that_a_run_survives_a_dozen_faults(tmp_path):
    found = campaign(tmp_path, "survival", "--faults", "12", "--seed", "7")
    assert found["wrong"] == []
    assert found["faults"] >= 12
    assert found["came_to"]["same bytes"] >= 6


def test_that_a_queue_survives_whoever_drives_it(tmp_path):
    found = campaign(tmp_path, "queue_survival", "--kills", "2", "--seed", "5")
    assert found["wrong"] == []
    assert found["kills"] >= 2
