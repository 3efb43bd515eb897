"""Remembering in main memory, on a card: it learns the same and holds less."""

import json
import os
import subprocess
import sys

import pytest

from studio.domain.architecture import ModelArchitecture
from studio.engine.random_weights import write_random_model
from studio.storage.recipes import save_recipe
from studio.storage.run_directory import RunDirectory
from tests.engine import tiny
from tests.engine.helpers import recipe_for
from tests.gpu.shapes import SHAPES
from tests.gpu.truth import case, measure, write_config

pytestmark = [pytest.mark.gpu, pytest.mark.torch, pytest.mark.slow]

LONG = {"train__sequence_length": 4096, "train__micro_batch": 2}


def engine(run, *options, **environment):
    command = [sys.executable, "-m", "studio.engine", "train", str(run.path), *options]
    return subprocess.run(
        command,
        env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def weights(run):
    return (run.adapter_path / "adapter_model.safetensors").read_bytes()


@pytest.fixture
def run_of(tmp_path, monkeypatch):
    """A run on the card whose kernels are deterministic."""
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    model = tiny.make_model(tmp_path / "tiny", hidden_size=256, num_hidden_layers=4)
    data = tiny.write_chats(tmp_path / "chats.jsonl")

    def made(*, offload):
        recipe = recipe_for(
            model,
            data,
            model__compute_dtype="bf16",
            model__attention="eager",
            train__checkpointing=True,
            train__offload=offload,
            train__max_steps=12,
            train__save_steps=4,
            lora__dropout=0.1,
        )
        return RunDirectory.create(tmp_path / "runs", "run", recipe)

    return made


def test_that_it_learns_the_same_bit_for_bit(card, run_of):
    plain, moved = run_of(offload=False), run_of(offload=True)
    for run in (plain, moved):
        done = engine(run)
        assert done.returncode == 0, done.stderr
    assert weights(moved) == weights(plain)


def test_that_going_on_equals_never_having_stopped(card, run_of):
    straight, broken = run_of(offload=True), run_of(offload=True)
    assert engine(straight).returncode == 0
    assert engine(broken, SNUGTUNE_FAULTS="step.begun:kill@7").returncode != 0
    done = engine(broken, "--resume")
    assert done.returncode == 0, done.stderr
    assert weights(broken) == weights(straight)


def test_that_a_run_that_ran_out_goes_on_with_it(card, run_of):
    straight, run = run_of(offload=False), run_of(offload=False)
    for each in (straight, run):
        one = each.read_recipe().with_values(
            {"train.micro_batch": 1, "train.accumulation": 1}
        )
        save_recipe(each.recipe_path, one)
    assert engine(straight).returncode == 0
    assert engine(run, SNUGTUNE_FAULTS="step:oom@7").returncode != 0
    done = engine(run, "--resume", "--save-memory")
    assert done.returncode == 0, done.stderr
    adapted = [
        json.loads(line)
        for line in run.journal_path.read_text().splitlines()
        if '"adapted"' in line
    ]
    assert [each["after"] for each in adapted] == [{"train.offload": True}]
    assert weights(run) == weights(straight)


def test_that_the_card_holds_less_by_all_states_but_one(card, tmp_path):
    shape = SHAPES["Llama-3.2-1B"]
    config = write_config(shape, tmp_path / "config")
    write_random_model(config, tmp_path / "model")
    peaks = {}
    for offload in (False, True):
        chosen = case("Llama-3.2-1B", **LONG, train__offload=offload)
        _, measured = measure(chosen, tmp_path / "model", tmp_path)
        peaks[offload] = measured.phases["forward"].allocated
    model = ModelArchitecture.from_config(shape)
    layers = sum(count for _, count in model.decoder.kinds)
    state = 2 * 4096 * model.hidden * 2
    saved = peaks[False] - peaks[True]
    assert saved == pytest.approx((layers - 1) * state, rel=0.02)
