"""What the engine itself takes of main memory: a run of a model that weighs nothing.

The memory formula's constant for a processor, `CPU_RUNTIME`, is this figure.
"""

import os
import subprocess

import pytest

from studio.domain.hardware import MIB
from studio.domain.memory.formula import CPU_RUNTIME
from studio.protocol.events import MemorySample
from studio.services.launch import engine_command, engine_environment
from studio.storage.run_directory import RunDirectory
from tests.engine.helpers import new_run, recipe_for
from tests.engine.tiny import make_model, write_chats

pytestmark = pytest.mark.torch


def test_that_the_formula_knows_what_the_engine_itself_takes(tmp_path):
    model = make_model(tmp_path / "model")
    data = write_chats(tmp_path / "chats.jsonl")
    run = new_run(tmp_path, recipe_for(model, data))
    subprocess.run(
        engine_command("train", str(run.path)),
        env={**os.environ, **engine_environment(keep_running=True)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=True,
    )
    samples = [
        e for e in RunDirectory(run.path).events() if isinstance(e, MemorySample)
    ]
    measured = max(sample.process_bytes for sample in samples)
    print(f"engine: {measured / MIB:.0f} MiB, formula {CPU_RUNTIME / MIB:.0f} MiB")
    assert abs(CPU_RUNTIME - measured) < 0.15 * measured
