"""The proofs, run as the set-up runs them: each in a fresh process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SMOKE = Path(__file__).parents[2] / "installer" / "smoke.py"


def prove(*arguments):
    variables = {"QT_QPA_PLATFORM": "offscreen", "TORCHDYNAMO_DISABLE": "1"}
    return subprocess.run(
        [sys.executable, SMOKE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )


def test_that_imports_are_counted():
    assert prove("imports", "json", "msgspec").stdout == "2 modules\n"


def test_that_a_module_that_is_missing_is_named():
    done = prove("imports", "json", "no_such_module")
    assert done.returncode != 0
    assert "No module named 'no_such_module'" in done.stderr


def test_that_a_window_opens_offscreen():
    assert prove("window").stdout.startswith("Qt 6.")


@pytest.mark.torch
def test_that_four_bit_training_is_proven_on_the_processor():
    done = prove("nf4", "cpu")
    assert done.stdout.endswith("on cpu\n"), done.stderr


@pytest.mark.torch
def test_that_another_torch_than_planned_is_found_out():
    done = prove("torch", "1.0.0+cu130")
    assert done.returncode != 0
    assert "planned was 1.0.0+cu130" in done.stderr
