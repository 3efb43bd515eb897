"""Runs of a tiny model on the card, as processes."""

import json
import os
import subprocess
import sys

from studio.services.launch import engine_environment
from studio.storage.run_directory import RunDirectory
from tests.engine.helpers import recipe_for


def make_run(folder, model, data, **options):
    """A run of twelve steps that computes in bf16 unless its options say otherwise."""
    usual = {
        "model__compute_dtype": "bf16",
        "model__attention": "eager",
        "data__held_out": 0.0,
        "data__prompts": (),
        "train__max_steps": 12,
        "train__save_steps": 4,
        "lora__dropout": 0.1,
    }
    recipe = recipe_for(model, data, **usual | options)
    return RunDirectory.create(folder, "run", recipe)


def engine(run, *options, **environment):
    """Train a run by the engine alone."""
    return python("studio.engine", "train", run.path, *options, **environment)


def python(module, *arguments, **environment):
    """Run a module to its end."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=engine_environment(keep_running=True) | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def begun(module, *arguments):
    """Start a module and go on."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def weights(run):
    return (run.adapter_path / "adapter_model.safetensors").read_bytes()


def events(run, kind):
    """What a run told of one kind, so far."""
    if not run.journal_path.exists():
        return []
    lines = run.journal_path.read_text(encoding="utf-8").splitlines()
    return [each for each in map(json.loads, lines) if each["event"] == kind]


def adapted(run):
    """How a run was changed when memory ran out."""
    return events(run, "adapted")
