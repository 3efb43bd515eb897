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


def test_that_a_run_survives_a_dozen_faults(tmp_path):
    # A process of its own, for one that has computed gradients can't be forked.
    told = tmp_path / "told.json"
    command = [sys.executable, "-m", "tests.bench.survival", "--json", str(told)]
    done = subprocess.run(
        [*command, "--faults", "12", "--seed", "7"],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    found = json.loads(told.read_text(encoding="utf-8"))
    assert found["wrong"] == []
    assert found["faults"] >= 12
    assert found["came_to"]["same bytes"] >= 6
